//! One file whose result is known: what a hit costs.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, bail};

use super::contender::Contender;
use super::record::{ALONE, Against, Row};
use super::{Bench, limit, rounds};
use crate::run;

const WARM_UPS: usize = 4;
const ROUNDS: usize = 40;

/// How long one call may take.
const LIMIT: Duration = Duration::from_secs(60);

/// Caches leave alone what was written just before; none of them waits longer.
const SETTLED: Duration = Duration::from_millis(2_500);

/// A source file and what compiles it.
pub(super) struct Source {
    pub(super) tool: &'static str,
    file: &'static str,
    options: &'static [&'static str],
    /// What it includes of the system's.
    system: &'static [&'static str],
    /// How many headers it is to include in all.
    headers: usize,
    body: &'static str,
}

pub(super) const C: Source = Source {
    tool: "gcc",
    file: "one.c",
    options: &["-O2", "-g"],
    system: &["stdio.h", "stdlib.h", "string.h", "errno.h", "time.h"],
    headers: 86,
    body: "int main(int count, char **words) { printf(\"%d %s\\n\", count, words[0]); return 0; }\n",
};

pub(super) const CXX: Source = Source {
    tool: "g++",
    file: "one.cc",
    options: &["-O2", "-g", "-std=c++20"],
    system: &["bits/stdc++.h"],
    headers: 634,
    body: "int main() { std::map<std::string, std::vector<int>> all; std::string word; int number;\n\
           while (std::cin >> word >> number) all[word].push_back(number);\n\
           for (auto &[name, numbers] : all) std::ranges::sort(numbers); std::regex shape(\"[a-z]+\");\n\
           std::cout << all.size() << std::regex_match(word, shape) << std::endl; }\n",
};

impl Source {
    /// Writes the file, and as many headers of its own as it takes to have so many in all.
    pub(super) fn lay_out(&self, folder: &Path) -> anyhow::Result<()> {
        fs::create_dir_all(folder.join("own"))?;
        let mut text = String::new();
        for header in self.system {
            writeln!(text, "#include <{header}>")?;
        }
        fs::write(folder.join(self.file), &text)?;
        let mut list = Command::new(self.tool);
        let listed = run::output(list.current_dir(folder).args(self.options).args(["-M", self.file]))?;
        let known = String::from_utf8_lossy(&listed.stdout)
            .split_whitespace()
            .filter(|word| word.starts_with('/'))
            .count();
        let own = self.headers.checked_sub(known).context("the system's headers are more than are wanted")?;
        for number in 0..own {
            writeln!(text, "#include \"own/h{number}.h\"")?;
            let header = format!(
                "#ifndef H{number}\n#define H{number}\n/* One of {own}. */\nstruct s{number} {{ int first; char second[{}]; }};\n\
                 static inline int f{number}(const struct s{number} *of) {{ return of->first + {number}; }}\n#endif\n",
                number + 1
            );
            fs::write(folder.join(format!("own/h{number}.h")), header)?;
        }
        text.push_str(self.body);
        Ok(fs::write(folder.join(self.file), text)?)
    }

    /// Adds the arguments of the compile that makes `stem`.o and `stem`.d.
    pub(super) fn compile<'a>(&self, command: &'a mut Command, folder: &Path, stem: &str) -> &'a mut Command {
        let (object, list) = (format!("{stem}.o"), format!("{stem}.d"));
        command.current_dir(folder).env("PWD", folder).args(self.options);
        command.args(["-MD", "-MF", &list, "-c", self.file, "-o", &object])
    }
}

/// Waits until no cache takes the files for freshly written.
pub(super) fn settle() {
    std::thread::sleep(SETTLED);
}

pub(super) fn measure(bench: &Bench) -> anyhow::Result<Vec<Row>> {
    Ok(vec![
        hit(bench, &C, "c_hit", "C file with 86 headers, hit", 0.5)?,
        hit(bench, &CXX, "cxx_hit", "C++ file with 634 headers, hit", 0.4)?,
    ])
}

fn hit(bench: &Bench, source: &Source, id: &str, title: &str, goal: f64) -> anyhow::Result<Row> {
    let folder = bench.house.work().join(id);
    source.lay_out(&folder)?;
    settle();
    let alone = || bench.house.command(source.tool);
    let mut plain = Vec::new();
    for _ in 0..3 {
        plain.push(once(source.compile(&mut alone(), &folder, "one"), &folder)?.as_secs_f64() * 1e3);
    }
    let expected = outputs(&folder)?;
    let plain = rounds::figure(ALONE, plain);

    let caches: Vec<&Contender> = bench.caches.iter().filter(|cache| cache.c).collect();
    let running = caches.iter().map(|cache| cache.start(&bench.house)).collect::<Result<Vec<_>, _>>()?;
    let names: Vec<&str> = caches.iter().map(|cache| cache.name).collect();
    let before = bench.house.counts()?.unwrap_or_default();
    let figures = rounds::run(&bench.progress, &names, WARM_UPS, ROUNDS, |who| {
        let mut command = caches[who].call(&bench.house, source.tool);
        let took = once(source.compile(&mut command, &folder, "one"), &folder)?;
        if outputs(&folder)? != expected {
            bail!("{} gives other outputs than the compiler", names[who]);
        }
        Ok(took)
    })?;
    drop(running);
    let counts = bench.house.counts()?.unwrap_or_default().since(before);
    if counts.hits < u64::try_from(ROUNDS)? {
        bail!("larder had {counts:?}, and all but the first should have been hits");
    }
    let mut kept = vec![plain];
    for figure in figures {
        // A call that took as long as a compile was one.
        if figure.median > kept[0].median / 2.0 {
            bench.progress.line(&format!("{}: its calls are no hits, and are left out", figure.who));
        } else {
            kept.push(figure);
        }
    }
    let (id, title, unit) = (id.to_owned(), title.to_owned(), "ms".to_owned());
    Ok(Row { id, title, unit, against: Against::BestPeer, goal: Some(goal), figures: kept })
}

/// Runs `command` where neither of its outputs is there, and says how long it took.
fn once(command: &mut Command, folder: &Path) -> anyhow::Result<Duration> {
    for output in places(folder) {
        let _ = fs::remove_file(output);
    }
    limit::time(command, LIMIT)
}

fn outputs(folder: &Path) -> anyhow::Result<Vec<Vec<u8>>> {
    places(folder)
        .map(|place| fs::read(&place).with_context(|| format!("failed to read {}", place.display())))
        .collect()
}

fn places(folder: &Path) -> impl Iterator<Item = PathBuf> {
    ["one.o", "one.d"].map(|name| folder.join(name)).into_iter()
}
