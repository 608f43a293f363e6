//! Messages and their frames, as either side makes and reads them: `cargo bench -p larder-bench --bench messages`.

use std::hint::black_box;

use criterion::Criterion;
use larder_bench::call::Place;
use larder_bench::client;
use larder_proto::v1::{CompileReply, CompileRequest, compile_request};
use larder_proto::{LARDER_VERSION, PROTOCOL_VERSION, lane};
use prost::Message as _;
use running_process::broker::protocol::{Frame, encode_framed, try_decode_framed};

fn main() -> larder_bench::Result<()> {
    let mut criterion = Criterion::default().configure_from_args();
    let folder = larder_bench::folder()?;
    let place = Place::lay_out(folder.path())?;
    place.compile()?;
    let object = place.work.join("build/main.c.o");

    let request = CompileRequest {
        protocol: PROTOCOL_VERSION,
        client_version: LARDER_VERSION.to_owned(),
        request: Some(compile_request::Request::Lookup(place.lookup())),
    };
    let reply = client::reply(client::hit(&place.work, &place.work, &object)?);
    let (asked, answered) = (request.encode_to_vec(), reply.encode_to_vec());
    criterion.bench_function("message/encode a lookup", |bencher| {
        bencher.iter(|| black_box(&request).encode_to_vec());
    });
    criterion.bench_function("message/decode a lookup", |bencher| {
        bencher.iter(|| CompileRequest::decode(black_box(asked.as_slice())).is_ok());
    });
    criterion.bench_function("message/encode a hit", |bencher| {
        bencher.iter(|| black_box(&reply).encode_to_vec());
    });
    criterion.bench_function("message/decode a hit", |bencher| {
        bencher.iter(|| CompileReply::decode(black_box(answered.as_slice())).is_ok());
    });

    let framed = encode_framed(&Frame::request(lane::COMPILE.0, asked.clone()))?;
    criterion.bench_function("frame/encode a lookup", |bencher| {
        bencher.iter(|| encode_framed(&Frame::request(lane::COMPILE.0, black_box(&asked).clone())).is_ok());
    });
    criterion.bench_function("frame/decode a lookup", |bencher| {
        bencher.iter(|| try_decode_framed(black_box(&framed)).is_ok());
    });
    criterion.final_summary();
    Ok(())
}
