//! `#[plugin]` on `impl Plugin for T`.

use crate::{options::Options, register};
use proc_macro2::TokenStream;
use quote::quote;
use syn::{ImplItem, ItemImpl, parse_quote};

pub(crate) fn expand(mut block: ItemImpl, options: &Options) -> syn::Result<TokenStream> {
    let of_plugin = block.trait_.as_ref().and_then(|(path, _)| path.segments.last());
    if of_plugin.is_none_or(|segment| segment.ident != "Plugin") {
        return Err(syn::Error::new_spanned(&block.self_ty, "#[plugin] belongs on `impl Plugin for TYPE`"));
    }
    if !block.generics.params.is_empty() {
        return Err(syn::Error::new_spanned(&block.generics, "a plugin is one type: it cannot be generic"));
    }
    let has_config =
        block.items.iter().any(|item| matches!(item, ImplItem::Type(item) if item.ident == "Config"));
    if !has_config {
        block.items.insert(
            0,
            parse_quote!(
                type Config = ();
            ),
        );
    }
    block.attrs.push(parse_quote! {
        #[allow(refining_impl_trait, reason = "which error `new` gives concerns nobody else")]
    });
    let registered = register::expand(&block.self_ty, options);
    Ok(quote! {
        #block
        #registered
    })
}
