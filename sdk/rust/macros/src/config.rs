//! `#[config]`.

use proc_macro2::TokenStream;
use quote::{ToTokens as _, quote};
use syn::DeriveInput;

pub(crate) fn expand(arguments: TokenStream, item: TokenStream) -> syn::Result<TokenStream> {
    if !arguments.is_empty() {
        return Err(syn::Error::new_spanned(arguments, "#[config] takes no arguments"));
    }
    let input: DeriveInput = syn::parse2(item)?;
    let said = input.attrs.iter().any(|attribute| {
        attribute.path().is_ident("serde")
            && attribute.meta.to_token_stream().to_string().contains("deny_unknown_fields")
    });
    let deny = (!said).then(|| quote!(#[serde(deny_unknown_fields)]));
    Ok(quote! {
        #[derive(::weir_sdk::serde::Deserialize, ::weir_sdk::schemars::JsonSchema)]
        #[serde(crate = "::weir_sdk::serde")]
        #[schemars(crate = "::weir_sdk::schemars")]
        #deny
        #input
    })
}
