//! The arguments of `#[plugin(…)]`.

use proc_macro2::TokenStream;
use quote::quote;
use syn::{
    Ident, LitStr, Token, bracketed,
    parse::{Parse, ParseStream},
    punctuated::Punctuated,
};

/// What the author said; the rest comes from the package.
#[derive(Default)]
pub(crate) struct Options {
    pub(crate) name: Option<LitStr>,
    pub(crate) version: Option<LitStr>,
    pub(crate) description: Option<LitStr>,
    directions: Option<Vec<Direction>>,
}

#[derive(Clone, Copy, PartialEq)]
enum Direction {
    Inbound,
    Outbound,
}

impl Options {
    /// The directions as an expression of type `&[Direction]`.
    pub(crate) fn directions(&self) -> TokenStream {
        let directions = self.directions.as_deref().unwrap_or(&[Direction::Inbound]);
        let directions = directions.iter().map(|direction| match direction {
            Direction::Inbound => quote!(::weir_sdk::Direction::Inbound),
            Direction::Outbound => quote!(::weir_sdk::Direction::Outbound),
        });
        quote!(&[#(#directions),*])
    }
}

impl Parse for Options {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let mut options = Self::default();
        while !input.is_empty() {
            let key: Ident = input.parse()?;
            input.parse::<Token![=]>()?;
            let repeated = match key.to_string().as_str() {
                "name" => options.name.replace(input.parse()?).is_some(),
                "version" => options.version.replace(input.parse()?).is_some(),
                "description" => options.description.replace(input.parse()?).is_some(),
                "directions" => options.directions.replace(directions(input)?).is_some(),
                _ => {
                    let text = "expected `name`, `version`, `description` or `directions`";
                    return Err(syn::Error::new(key.span(), text));
                }
            };
            if repeated {
                return Err(syn::Error::new(key.span(), format!("`{key}` is given twice")));
            }
            if !input.is_empty() {
                input.parse::<Token![,]>()?;
            }
        }
        Ok(options)
    }
}

fn directions(input: ParseStream<'_>) -> syn::Result<Vec<Direction>> {
    let list;
    bracketed!(list in input);
    let names = Punctuated::<Ident, Token![,]>::parse_terminated(&list)?;
    let mut directions = Vec::new();
    for name in &names {
        let direction = match name.to_string().as_str() {
            "inbound" => Direction::Inbound,
            "outbound" => Direction::Outbound,
            _ => return Err(syn::Error::new(name.span(), "expected `inbound` or `outbound`")),
        };
        if directions.contains(&direction) {
            return Err(syn::Error::new(name.span(), format!("`{name}` is listed twice")));
        }
        directions.push(direction);
    }
    Ok(directions)
}
