//! What a session offers to a plugin.

use crate::Session;

impl Session {
    /// A header of the upgrade or CONNECT request, by its name in any case; the first of several.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.request
            .iter()
            .find(|(header, _)| header.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }

    /// Path and query of the upgrade or CONNECT request.
    pub fn path(&self) -> Option<&str> {
        self.header(":path")
    }
}
