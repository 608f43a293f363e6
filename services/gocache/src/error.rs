//! What can go wrong with a go command's request.

use larder_service::Reason;
use larder_store::StoreError;

/// Why a request could not be carried out. The go command goes on without.
#[derive(Debug, thiserror::Error)]
pub(crate) enum GoError {
    #[error("failed to understand a go command's request: {0}")]
    Malformed(&'static str),
    #[error("failed to prepare the folder {path} for bodies")]
    Staging {
        path: String,
        #[source]
        source: std::io::Error,
    },
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("failed to serve a go command: {0}")]
    Internal(&'static str),
}

impl GoError {
    pub(crate) fn reason(&self) -> Reason {
        match self {
            Self::Malformed(_) => Reason::RequestMalformed,
            Self::Staging { .. } | Self::Store(_) => Reason::StoreFailed,
            Self::Internal(_) => Reason::InternalError,
        }
    }
}

/// `error` and what is behind it, in one line.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text.push_str(": ");
        text.push_str(&error.to_string());
        source = error.source();
    }
    text
}
