//! The pattern of a policy key with sub-keys, such as `limits`: one line a sub-key says its name, its
//! type and its default, and everything else follows from it.

/// Makes two structs of a list of sub-keys: what one level says of them, and what holds in the end.
macro_rules! group {
    (
        $(#[$doc:meta])*
        $keys:ident => $resolved:ident {
            $($(#[$key_doc:meta])* $key:ident: $type:ty = $default:expr;)*
        }
    ) => {
        $(#[$doc])*
        ///
        /// What one level says; `None` is decided by the level behind it.
        #[derive(Clone, Debug, Default)]
        pub struct $keys {
            $($(#[$key_doc])* pub $key: Option<Located<$type>>,)*
        }

        $(#[$doc])*
        ///
        /// What holds in the end.
        #[derive(Clone, Debug, PartialEq)]
        #[allow(clippy::struct_excessive_bools, reason = "each is a switch of its own in the vocabulary")]
        pub struct $resolved {
            $($(#[$key_doc])* pub $key: $type,)*
        }

        impl Default for $resolved {
            fn default() -> Self {
                Self { $($key: $default,)* }
            }
        }

        impl $keys {
            pub(super) fn read(table: &mut Table<'_>, name: &'static str) -> Self {
                let Some(mut table) = table.table(name) else { return Self::default() };
                let keys = Self { $($key: table.located(stringify!($key), <$type>::read),)* };
                table.finish();
                keys
            }
        }

        impl $resolved {
            pub(super) fn resolve<'k>(levels: &[&'k PolicyKeys], of: impl Fn(&'k PolicyKeys) -> &'k $keys) -> Self {
                let default = Self::default();
                Self {
                    $($key: nearest(levels, |keys| &of(keys).$key)
                        .map_or(default.$key, |located| located.value.clone()),)*
                }
            }

            pub(super) fn effective<'k>(
                &self,
                name: &str,
                levels: &[&'k PolicyKeys],
                of: impl Fn(&'k PolicyKeys) -> &'k $keys,
            ) -> Vec<Effective> {
                vec![$(row(
                    format!("{name}.{}", stringify!($key)),
                    &self.$key,
                    nearest(levels, |keys| &of(keys).$key),
                ),)*]
            }
        }
    };
}

pub(super) use group;
