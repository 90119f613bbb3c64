//! The attributes of `weir-sdk`, which exports them again: depend on that crate.

mod config;
mod function;
mod implementation;
mod options;
mod register;

use proc_macro::TokenStream;
use syn::{Item, parse_macro_input};

/// Makes a function or an implementation of `Plugin` the plugin that this crate exports. A crate has exactly one.
///
/// On a function, which answers each message by itself:
///
/// ```
/// use weir_sdk::{Message, Verdict, config, plugin};
///
/// #[config]
/// struct Room {
///     /// The group that every message goes to.
///     group: String,
/// }
///
/// #[plugin]
/// fn to_room(message: &Message, config: &Room) -> Verdict {
///     let _ = message;
///     Verdict::route_to(weir_sdk::Target::group(&config.group))
/// }
///
/// # fn main() {
/// // The attribute also makes a type of the function's name, for the harness.
/// use weir_sdk::{Target, test::Harness};
/// let mut harness = Harness::<to_room>::new(r#"{"group": "lobby"}"#);
/// assert_eq!(harness.message("hi").verdict(), &Verdict::route_to(Target::group("lobby")));
/// # }
/// ```
///
/// The second argument, the config, may be left out. On `impl Plugin for T`, see `Plugin`.
///
/// What the manifest says comes from the package (`CARGO_PKG_NAME`, `CARGO_PKG_VERSION`, `CARGO_PKG_DESCRIPTION`), or
/// from the arguments: `#[plugin(name = "…", version = "…", description = "…", directions = [inbound, outbound])]`.
/// Without `directions`, messages of clients alone (inbound) are seen.
#[proc_macro_attribute]
pub fn plugin(arguments: TokenStream, item: TokenStream) -> TokenStream {
    let options = parse_macro_input!(arguments as options::Options);
    let expanded = match parse_macro_input!(item as Item) {
        Item::Fn(function) => function::expand(&function, &options),
        Item::Impl(block) => implementation::expand(block, &options),
        other => Err(syn::Error::new_spanned(
            other,
            "#[plugin] belongs on `fn NAME(message: &Message) -> Verdict` or on `impl Plugin for TYPE`",
        )),
    };
    expanded.unwrap_or_else(syn::Error::into_compile_error).into()
}

/// Makes a struct or an enum a config, or a part of one: derives `serde::Deserialize` and `schemars::JsonSchema` with
/// the versions that the SDK uses, and refuses members that the type does not have. Comments on fields become the
/// descriptions in the schema, and the attributes of serde and schemars work as ever.
///
/// ```
/// use weir_sdk::{Config as _, config};
///
/// #[config]
/// struct Limits {
///     /// Longest message, in bytes.
///     #[serde(default = "longest")]
///     #[schemars(range(min = 1))]
///     longest: u32,
/// }
///
/// fn longest() -> u32 {
///     1024
/// }
///
/// assert_eq!(Limits::parse("{}").unwrap().longest, 1024);
/// assert!(Limits::schema().contains("Longest message, in bytes."));
/// assert!(Limits::parse(r#"{"longer": 1}"#).is_err());
/// ```
///
/// A type that uses `#[serde(flatten)]` cannot refuse unknown members: derive both traits on it by hand.
#[proc_macro_attribute]
pub fn config(arguments: TokenStream, item: TokenStream) -> TokenStream {
    config::expand(arguments.into(), item.into()).unwrap_or_else(syn::Error::into_compile_error).into()
}

#[cfg(test)]
mod tests {
    use super::{config, function, implementation, options::Options};
    use syn::{parse_quote, parse_str};

    fn function_error(function: &syn::ItemFn) -> String {
        function::expand(function, &Options::default()).unwrap_err().to_string()
    }

    fn block_error(block: syn::ItemImpl) -> String {
        implementation::expand(block, &Options::default()).unwrap_err().to_string()
    }

    #[test]
    fn arguments_that_are_wrong_say_what_is_right() {
        let error = |text| parse_str::<Options>(text).err().expect("it is refused").to_string();
        assert!(error("nam = \"x\"").contains("`name`, `version`, `description` or `directions`"));
        assert!(error("name = \"x\", name = \"y\"").contains("given twice"));
        assert!(error("directions = [both]").contains("`inbound` or `outbound`"));
        assert!(error("directions = [inbound, inbound]").contains("listed twice"));
        assert!(parse_str::<Options>("name = \"x\", directions = [outbound, inbound,],").is_ok());
    }

    #[test]
    fn functions_of_another_shape_say_which_is_right() {
        let shape = "fn NAME(message: &Message) -> Verdict";
        assert!(
            function_error(&parse_quote!(
                fn none() -> Verdict {}
            ))
            .contains(shape)
        );
        assert!(
            function_error(&parse_quote!(
                fn three(a: &A, b: &B, c: &C) -> Verdict {}
            ))
            .contains(shape)
        );
        assert!(
            function_error(&parse_quote!(
                fn owned(a: &A, b: B) -> Verdict {}
            ))
            .contains(shape)
        );
        assert!(
            function_error(&parse_quote!(
                async fn later(a: &A) -> Verdict {}
            ))
            .contains("neither async")
        );
        assert!(
            function_error(&parse_quote!(
                fn any<T>(a: &T) -> Verdict {}
            ))
            .contains("nor generic")
        );
    }

    #[test]
    fn blocks_that_are_no_plugin_are_refused() {
        assert!(block_error(parse_quote!(impl Thing {})).contains("impl Plugin for TYPE"));
        assert!(block_error(parse_quote!(impl Display for Thing {})).contains("impl Plugin for TYPE"));
        assert!(
            block_error(parse_quote!(
                impl<T> Plugin for Thing<T> {}
            ))
            .contains("cannot be generic")
        );
    }

    #[test]
    fn a_config_refuses_unknown_members_once() {
        let expand = |item| config::expand(proc_macro2::TokenStream::new(), item).unwrap().to_string();
        assert_eq!(
            expand(parse_quote!(
                struct A {
                    a: u8,
                }
            ))
            .matches("deny_unknown_fields")
            .count(),
            1
        );
        let said = parse_quote!(
            #[serde(deny_unknown_fields)]
            struct A {
                a: u8,
            }
        );
        assert_eq!(expand(said).matches("deny_unknown_fields").count(), 1);
    }
}
