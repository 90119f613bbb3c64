//! A configuration, from its file to what has been checked.

use std::hint::black_box;
use std::path::PathBuf;
use weir_proof::hot::Case;

const CASES: &[Case] = &[
    Case { name: "load: one listener", of: 1, make: || load("small", "") },
    Case {
        name: "load: 100 listeners, 100 plugins with filters and rates",
        of: 1,
        make: || load("large", &large()),
    },
];

const LISTENER: &str =
    "[[listener]]\nname = \"l\"\nbind = \"127.0.0.1:1\"\nprotocol = \"websocket\"\nroute = \"echo\"\n";

fn large() -> String {
    let one = |number: usize| {
        format!(
            "[[listener]]\nname = \"l{number}\"\nbind = \"127.0.0.1:{}\"\nprotocol = \"tcp\"\nroute = \"echo\"\nchain = [\"p{number}\"]\n\
             framing = {{ type = \"line\", max = \"64KiB\" }}\nlimits = {{ messages_per_second = 100, queue = \"1MiB\" }}\n\
             [[plugin]]\nname = \"p{number}\"\nmodule = \"p.wasm\"\nwhen = {{ kind = \"text\", json = {{ \"/type\" = \"order\" }} }}\n",
            2000 + number
        )
    };
    (0..100).map(one).collect()
}

/// Read again each time, as a reload does.
fn load(name: &str, more: &str) -> Box<dyn FnMut()> {
    let directory: PathBuf =
        std::env::temp_dir().join(format!("weir-hot-config-{}-{name}", std::process::id()));
    std::fs::create_dir_all(&directory).expect("a directory");
    let file = directory.join("weir.toml");
    std::fs::write(&file, format!("{LISTENER}{more}")).expect("a file");
    let whole = Loaded { directory, file };
    Box::new(move || {
        let loaded = weir_config::load(black_box(&whole.file));
        drop(black_box(loaded.unwrap_or_else(|errors| panic!("{errors}"))));
    })
}

/// The directory goes with it.
struct Loaded {
    directory: PathBuf,
    file: PathBuf,
}

impl Drop for Loaded {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.directory);
    }
}

weir_proof::hot!(CASES);
