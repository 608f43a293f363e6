//! A peer may send anything.

use larder_proto::v1::{CompileReply, CompileRequest, ControlReply, ControlRequest};
use proptest::prelude::*;
use prost::Message as _;

proptest! {
    #[test]
    fn decoding_arbitrary_bytes_gives_a_message_or_an_error(bytes: Vec<u8>) {
        let _ = ControlRequest::decode(bytes.as_slice());
        let _ = ControlReply::decode(bytes.as_slice());
        let _ = CompileRequest::decode(bytes.as_slice());
        let _ = CompileReply::decode(bytes.as_slice());
    }
}
