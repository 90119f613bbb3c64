//! Its config schema takes for ever: each definition asks for the next one twice, forty times over.

use guests::*;

struct Schema;

impl Program for Schema {
    const NAME: &'static str = "schema";

    fn describe() -> Manifest {
        let mut definitions = String::from("\"d0\": { \"type\": \"object\" }");
        for level in 1..=40 {
            let below = format!("{{ \"$ref\": \"#/$defs/d{}\" }}", level - 1);
            definitions += &format!(", \"d{level}\": {{ \"allOf\": [{below}, {below}] }}");
        }
        Manifest {
            name: Self::NAME.into(),
            version: "1.0.0".into(),
            description: "a guest program of the tests".into(),
            directions: vec![Direction::Inbound],
            config_schema: format!("{{ \"$ref\": \"#/$defs/d40\", \"$defs\": {{ {definitions} }} }}"),
        }
    }

    fn message(_: Message) -> Verdict {
        pass()
    }
}

program!(Schema);
