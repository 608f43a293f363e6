//! Requests of the compile lane.

use larder_compile::fuzzing::is_a_call;
use larder_proto::v1::CompileRequest;
use larder_proto::v1::compile_request::Request;
use prost::Message as _;

/// What can be read can be written, and no call has what the operating system could not have handed out.
pub fn check(bytes: &[u8]) {
    let Ok(request) = CompileRequest::decode(bytes) else { return };
    let written = request.encode_to_vec();
    assert_eq!(written.len(), request.encoded_len());
    assert_eq!(CompileRequest::decode(&written[..]).as_ref(), Ok(&request), "what is written reads back");
    if let Some(Request::Lookup(lookup)) = request.request {
        let absolute = lookup.cwd.starts_with(b"/") && lookup.tool.starts_with(b"/");
        let texts = [&lookup.cwd, &lookup.tool, &lookup.tool_name].into_iter().chain(&lookup.args);
        let vars = lookup.env.iter().flat_map(|var| [&var.name, &var.value]);
        let possible = absolute && !texts.chain(vars).any(|text| text.contains(&0));
        assert!(possible || !is_a_call(lookup.clone()), "an impossible call is taken for one");
    }
}
