//! Compiles the message definitions without an installed protoc.

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let files = ["control", "report", "compile", "gocache", "fingerprint", "artifact", "session", "page"]
        .map(|file| format!("larder/v1/{file}.proto"));
    for file in &files {
        println!("cargo:rerun-if-changed={file}");
    }
    let descriptors = protox::compile(files, ["."])?;
    let mut config = prost_build::Config::new();
    config.enable_type_names();
    // The reports' JSON form is what the page, its API and `--json` print.
    for report in [
        "Status",
        "StoreStatus",
        "Stats",
        "ServiceStats",
        "ReasonCount",
        "Figure",
        "Record",
        "SessionReport",
        "RustArtifacts",
        "RustArtifact",
        "Overview",
        "Day",
        "Cause",
        "Misses",
        "Comparison",
        "Input",
        "Builds",
        "Build",
        "BuildActions",
        "LaneList",
        "LaneStatus",
        "StoreReport",
        "Age",
        "StoredBlob",
        "Found",
        "FoundAction",
        "FoundOutput",
        "Health",
        "HealthCheck",
        "SettingList",
        "SettingValue",
    ] {
        config
            .type_attribute(format!("larder.v1.{report}"), "#[derive(serde::Serialize, serde::Deserialize)]");
        config.type_attribute(format!("larder.v1.{report}"), "#[serde(default)]");
    }
    config.boxed(".larder.v1.ControlReply.reply.status");
    config.boxed(".larder.v1.ControlReply.reply.report");
    config.compile_fds(descriptors)?;
    Ok(())
}
