//! Keys whose value is one of a few words.

use crate::value::{Fault, Read};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use std::borrow::Cow;

/// Makes an enum of words: those that work, and those that are in the reference but do not work yet, each with what to write instead.
macro_rules! words {
    (
        $(#[$doc:meta])*
        $vis:vis enum $name:ident {
            $( $(#[$variant_doc:meta])* $variant:ident = $word:literal, )*
            $( #not_yet $later:literal => $instead:literal, )*
        }
    ) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        $vis enum $name {
            $( $(#[$variant_doc])* $variant, )*
        }

        impl $name {
            /// The word of the file.
            $vis const fn as_str(self) -> &'static str {
                match self { $( Self::$variant => $word, )* }
            }
        }

        impl Read for $name {
            fn read(value: &toml::Value) -> Result<Self, Fault> {
                const WORDS: &[&str] = &[$($word),*];
                let text = value.as_str().unwrap_or_default();
                $( if text == $later { return Err(Fault::not_yet(value, $instead)); } )*
                let known = [$(Self::$variant),*].into_iter().find(|word| word.as_str() == text);
                known.ok_or_else(|| Fault::word(value, WORDS))
            }
        }

        impl JsonSchema for $name {
            fn schema_name() -> Cow<'static, str> {
                stringify!($name).into()
            }

            fn inline_schema() -> bool {
                true
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!({ "type": "string", "enum": [$($word),*] })
            }
        }
    };
}

words! {
    /// The least severe line that is written.
    pub enum LogLevel {
        /// Something is lost or broken.
        Error = "error",
        /// Something will be.
        Warn = "warn",
        /// What happens to the gateway.
        Info = "info",
        /// What happens to sessions.
        Debug = "debug",
        /// What happens to messages.
        Trace = "trace",
    }
}

words! {
    /// Whether payloads are shown to who looks on.
    pub(crate) enum TapPayload {
        /// They are.
        On = "on",
        /// They are not.
        Off = "off",
    }
}

words! {
    /// Which sessions' records are logged.
    pub enum LogAccess {
        /// None.
        Off = "off",
        /// One when a session ends.
        Close = "close",
        /// One when it opens and one when it ends.
        Both = "both",
    }
}

words! {
    /// The form of log lines.
    pub enum LogFormat {
        /// Human on a terminal, JSON elsewhere.
        Auto = "auto",
        /// Short lines for people.
        Human = "human",
        /// One JSON object a line.
        Json = "json",
    }
}

words! {
    /// A capability that a binding must be granted before its plugin may import it.
    pub enum Grant {
        /// A store of keys and values.
        Kv = "kv",
        /// Messages of the plugin's own, and holding others.
        Messaging = "messaging",
        /// Joining, leaving and counting groups.
        Groups = "groups",
        /// A regular call.
        Timers = "timers",
        /// Random bytes.
        Random = "random",
        #not_yet "wasi" => "leave it out",
    }
}

words! {
    /// Where a plugin is called.
    pub(crate) enum PlacementWord {
        Inline = "inline",
        Offload = "offload",
    }
}

words! {
    /// Which version open sessions meet.
    pub(crate) enum PinWord {
        Off = "off",
        Session = "session",
    }
}

words! {
    /// How an endpoint is chosen for a session.
    pub enum Balance {
        /// The one with fewer connections of two picked at random.
        P2c = "p2c",
        /// One after the other.
        RoundRobin = "round-robin",
        /// The one with the fewest connections.
        LeastConnections = "least-connections",
        #not_yet "maglev" => "use \"p2c\", \"round-robin\" or \"least-connections\"",
    }
}

words! {
    pub(crate) enum ListenerWord {
        Tcp = "tcp",
        WebSocket = "websocket",
        Quic = "quic",
        WebTransport = "webtransport",
    }
}

words! {
    pub(crate) enum ClusterWord {
        Tcp = "tcp",
        WebSocket = "websocket",
    }
}

words! {
    pub(crate) enum KindWord {
        Text = "text",
        Binary = "binary",
    }
}

words! {
    pub(crate) enum FramingWord {
        Length = "length",
        Line = "line",
        Delimiter = "delimiter",
        Checked = "checked",
        Raw = "raw",
    }
}

words! {
    pub(crate) enum PrefixWord {
        U8 = "u8",
        U16Be = "u16be",
        U16Le = "u16le",
        U32Be = "u32be",
        U32Le = "u32le",
        Varint = "varint",
    }
}

words! {
    pub(crate) enum ProxyWord {
        Off = "off",
        #not_yet "v1v2" => "leave it \"off\"",
    }
}

words! {
    /// Compression of a WebSocket listener's messages.
    pub enum Compression {
        /// None is agreed to.
        Off = "off",
        /// RFC 7692, with clients that offer it; without context takeover.
        PermessageDeflate = "permessage-deflate",
    }
}

words! {
    pub(crate) enum SessionsWord {
        Dedicated = "dedicated",
        #not_yet "shared" => "leave it \"dedicated\"",
    }
}

words! {
    pub(crate) enum HeartbeatWord {
        Off = "off",
        Frame = "frame",
    }
}

words! {
    pub(crate) enum DegradedWord {
        Keep = "keep",
        Reconnect = "reconnect",
    }
}

words! {
    pub(crate) enum SlowWord {
        Close = "close",
        DropOldest = "drop-oldest",
        DropNewest = "drop-newest",
        Pause = "pause",
        Conflate = "conflate",
    }
}

words! {
    pub(crate) enum RateWord {
        Pause = "pause",
        Drop = "drop",
        Close = "close",
    }
}

words! {
    pub(crate) enum DirectionWord {
        Inbound = "inbound",
        Outbound = "outbound",
    }
}

words! {
    pub(crate) enum FailureWord {
        Closed = "closed",
        Open = "open",
        Close = "close",
    }
}
