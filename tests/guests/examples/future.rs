//! Built for a version of the contract that is not there yet.

wit_bindgen::generate!({
    inline: "
        package weir:plugin@0.2.0;
        interface log { log: func(text: string); }
        interface handler { describe: func() -> string; }
        world plugin { import log; export handler; }
    ",
});

struct Future;

impl exports::weir::plugin::handler::Guest for Future {
    fn describe() -> String {
        weir::plugin::log::log("hello");
        "future".into()
    }
}

export!(Future);
