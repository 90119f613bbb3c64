//! `#[plugin]` on a function.

use crate::{options::Options, register};
use proc_macro2::TokenStream;
use quote::quote;
use syn::{FnArg, ItemFn, Type};

const SHAPE: &str = "a plugin function is `fn NAME(message: &Message) -> Verdict`, or `fn NAME(message: &Message, config: &CONFIG) -> Verdict`";

pub(crate) fn expand(function: &ItemFn, options: &Options) -> syn::Result<TokenStream> {
    let signature = &function.sig;
    if signature.asyncness.is_some() || !signature.generics.params.is_empty() {
        return Err(syn::Error::new_spanned(signature, format!("{SHAPE}; neither async nor generic")));
    }
    let mut inputs = signature.inputs.iter();
    let (Some(_message), config, None) = (inputs.next(), inputs.next(), inputs.next()) else {
        return Err(syn::Error::new_spanned(signature, SHAPE));
    };
    let config = config.map(config_type).transpose()?;

    let visibility = &function.vis;
    let name = &signature.ident;
    let (config, arguments) = match config {
        Some(config) => (quote!(#config), quote!(message, &self.config)),
        None => (quote!(()), quote!(message)),
    };
    let registered = register::expand(name, options);
    let doc = format!("The plugin whose messages [`fn@{name}`] answers.");
    Ok(quote! {
        #function

        #[doc = #doc]
        #[allow(non_camel_case_types, dead_code, reason = "named after its function, whose config may be `()`")]
        #visibility struct #name {
            config: #config,
        }

        impl ::weir_sdk::Plugin for #name {
            type Config = #config;

            #[allow(refining_impl_trait, reason = "which error it is concerns nobody else")]
            fn new(config: #config) -> ::core::result::Result<Self, ::core::convert::Infallible> {
                ::core::result::Result::Ok(Self { config })
            }

            fn on_message(&mut self, message: &::weir_sdk::Message) -> ::weir_sdk::Verdict {
                #name(#arguments)
            }
        }

        #registered
    })
}

fn config_type(argument: &FnArg) -> syn::Result<&Type> {
    if let FnArg::Typed(argument) = argument
        && let Type::Reference(reference) = &*argument.ty
        && reference.mutability.is_none()
    {
        return Ok(&reference.elem);
    }
    Err(syn::Error::new_spanned(argument, SHAPE))
}
