//! What makes a type the plugin of its crate: its manifest, and the exports on a wasm target.

use crate::options::Options;
use proc_macro2::TokenStream;
use quote::{ToTokens, quote};
use syn::LitStr;

pub(crate) fn expand(plugin: &impl ToTokens, options: &Options) -> TokenStream {
    let name = said_or(options.name.as_ref(), &quote!(::core::env!("CARGO_PKG_NAME")));
    let version = said_or(options.version.as_ref(), &quote!(::core::env!("CARGO_PKG_VERSION")));
    let description = said_or(options.description.as_ref(), &quote!(::core::env!("CARGO_PKG_DESCRIPTION")));
    let directions = options.directions();
    quote! {
        impl ::weir_sdk::Registered for #plugin {
            const NAME: &'static str = #name;
            const VERSION: &'static str = #version;
            const DESCRIPTION: &'static str = #description;
            const DIRECTIONS: &'static [::weir_sdk::Direction] = #directions;
        }

        #[cfg(target_arch = "wasm32")]
        const _: () = {
            ::std::thread_local! {
                static PLUGIN: ::core::cell::RefCell<::core::option::Option<#plugin>> =
                    const { ::core::cell::RefCell::new(::core::option::Option::None) };
            }

            struct Exported;

            impl ::weir_sdk::__rt::Guest for Exported {
                fn describe() -> ::weir_sdk::Manifest {
                    ::weir_sdk::__rt::describe::<#plugin>()
                }
                fn configure(config: ::std::string::String) -> ::core::result::Result<(), ::std::string::String> {
                    ::weir_sdk::__rt::configure(&PLUGIN, &config)
                }
                fn on_open(session: ::weir_sdk::Session) -> ::core::result::Result<(), ::weir_sdk::Rejection> {
                    ::weir_sdk::__rt::open(&PLUGIN, &session)
                }
                fn on_message(message: ::weir_sdk::Message) -> ::weir_sdk::Verdict {
                    ::weir_sdk::__rt::message(&PLUGIN, &message)
                }
                fn on_close(session: ::weir_sdk::SessionId, end: ::weir_sdk::Rejection) {
                    ::weir_sdk::__rt::close(&PLUGIN, session, &end);
                }
                fn on_timer() {
                    ::weir_sdk::__rt::timer(&PLUGIN);
                }
            }

            impl ::weir_sdk::__rt::batch::Guest for Exported {
                fn handle(messages: ::std::vec::Vec<u8>) -> ::std::vec::Vec<u8> {
                    ::weir_sdk::__rt::messages(&PLUGIN, &messages)
                }
            }

            ::weir_sdk::__rt::bindings::__export_plugin!(Exported);
        };
    }
}

fn said_or(said: Option<&LitStr>, default: &TokenStream) -> TokenStream {
    said.map_or_else(|| default.clone(), ToTokens::to_token_stream)
}
