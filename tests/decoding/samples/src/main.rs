//! Writes the message of the decoding experiment into a folder, in each format: `reading-SAMPLES.FORMAT`.

use message::{Reading, sample};
use std::path::PathBuf;

type Encode = fn(&Reading) -> Vec<u8>;

/// Formats by the names of their plugins.
const FORMATS: [(&str, Encode); 3] = [
    ("json", decode_json::encode),
    ("protobuf", decode_protobuf::encode),
    ("flatbuffers", decode_flatbuffers::encode),
];

fn main() -> std::io::Result<()> {
    let folder = std::env::args().nth(1).map_or_else(|| PathBuf::from("."), PathBuf::from);
    std::fs::create_dir_all(&folder)?;
    for samples in [4, 64] {
        for (format, encode) in FORMATS {
            std::fs::write(folder.join(format!("reading-{samples}.{format}")), encode(&sample(samples)))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::FORMATS;
    use message::sample;
    use weir_sdk::test::Harness;
    use weir_sdk::{Registered, Verdict};

    fn decides<P: Registered>(encode: fn(&message::Reading) -> Vec<u8>) {
        for read in ["one", "all"] {
            let mut harness = Harness::<P>::new(format!(r#"{{"read": "{read}"}}"#));
            assert_eq!(harness.binary(encode(&sample(4))).verdict(), &Verdict::forward());
            let mut other = sample(4);
            other.device = "valve-3".into();
            assert_eq!(harness.binary(encode(&other)).verdict(), &Verdict::drop("not-a-gauge"));
            assert_eq!(harness.binary([0xff; 3]).verdict(), &Verdict::drop("cannot-decode"));
        }
        // Every field counts where all are read.
        let mut harness = Harness::<P>::new(r#"{"read": "all"}"#);
        let mut other = sample(4);
        other.valid = false;
        assert_eq!(harness.binary(encode(&other)).verdict(), &Verdict::drop("not-valid"));
        let mut nothing = Harness::<P>::new(r#"{"read": "nothing"}"#);
        assert_eq!(nothing.binary([0xff; 3]).verdict(), &Verdict::forward());
    }

    #[test]
    fn all_formats_decide_alike() {
        let [(_, json), (_, protobuf), (_, flatbuffers)] = FORMATS;
        decides::<decode_json::DecodeJson>(json);
        decides::<decode_protobuf::DecodeProtobuf>(protobuf);
        decides::<decode_flatbuffers::DecodeFlatbuffers>(flatbuffers);
    }
}
