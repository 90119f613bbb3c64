//! How a verdict, a target and a rejection are made.

use crate::{Forwarding, Rejection, SessionId, Target, Verdict};

impl Verdict {
    /// The message goes on as it is, on the route it has.
    pub fn forward() -> Self {
        Self::Forward(Forwarding { payload: None, route: None })
    }

    /// The message goes on with another payload. Its kind stays.
    pub fn forward_with(payload: impl Into<Vec<u8>>) -> Self {
        Self::Forward(Forwarding { payload: Some(payload.into()), route: None })
    }

    /// The message goes on as it is, to `target` instead of the listener's route.
    pub fn route_to(target: impl Into<Target>) -> Self {
        Self::Forward(Forwarding { payload: None, route: Some(target.into()) })
    }

    /// The message goes on with another payload, to `target` instead of the listener's route.
    pub fn route_with(target: impl Into<Target>, payload: impl Into<Vec<u8>>) -> Self {
        Self::Forward(Forwarding { payload: Some(payload.into()), route: Some(target.into()) })
    }

    /// The message ends here. The reason is counted: a short constant such as `"spam"`, not a sentence; what is beyond 64
    /// bytes is cut off.
    pub fn drop(reason: impl Into<String>) -> Self {
        Self::Drop(reason.into())
    }

    /// The session ends, with a close code (RFC 6455, section 7.4; 4000 to 4999 are free for applications) and a
    /// reason of at most 123 bytes that the client may see.
    pub fn close(code: u16, reason: impl Into<String>) -> Self {
        Self::Close(Rejection::new(code, reason))
    }

    /// The message waits until [`messaging::release`](crate::messaging::release) names it, at most so many
    /// milliseconds and an hour at most; then the binding's `on_failure` applies. Later messages of the session wait
    /// behind it.
    pub fn hold(milliseconds: u32) -> Self {
        Self::Hold(milliseconds)
    }
}

impl Target {
    /// The cluster of that name, of 1 to 256 bytes, in the gateway's configuration.
    pub fn cluster(name: impl Into<String>) -> Self {
        Self::Cluster(name.into())
    }

    /// Every session that has joined the group. Its name has 1 to 256 bytes.
    pub fn group(name: impl Into<String>) -> Self {
        Self::Group(name.into())
    }
}

impl From<SessionId> for Target {
    fn from(session: SessionId) -> Self {
        Self::Session(session)
    }
}

impl Rejection {
    /// A close code (RFC 6455, section 7.4) and a reason of at most 123 bytes.
    pub fn new(code: u16, reason: impl Into<String>) -> Self {
        Self { code, reason: reason.into() }
    }
}
