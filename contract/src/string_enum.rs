//! The macro `string_enum!` makes an enum and its words from one table: decision 013.

/// An enum of plain variants together with `ALL`, `as_str`, `FromStr` and serde, all
/// of them from the words of one table. A word is what is stored, sent and shown; it
/// may not change once a row holds it.
///
/// `Display` is left out: an error enum has texts for people beside its words, and a
/// call of `as_str` says which of the two is meant.
///
/// ```text
/// string_enum! {
///     /// A credit on one of an account's books increases it.
///     #[derive(Debug, Clone, Copy, PartialEq, Eq)]
///     pub enum EntrySide("side of an entry") {
///         Debit = "D",
///         Credit = "C",
///     }
/// }
/// ```
///
/// # Errors
/// `from_str` and `deserialize` list the words that would do.
#[macro_export]
macro_rules! string_enum {
    (
        $(#[$outer:meta])*
        $visibility:vis enum $name:ident($noun:literal) {
            $($(#[$inner:meta])* $variant:ident = $word:literal),+ $(,)?
        }
    ) => {
        $(#[$outer])*
        $visibility enum $name {
            $($(#[$inner])* $variant),+
        }

        impl $name {
            /// Every variant, in the order of its declaration.
            #[allow(dead_code)]
            pub const ALL: [$name; [$($word),+].len()] = [$($name::$variant),+];

            /// The word that is stored, sent and shown.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $($name::$variant => $word),+
                }
            }
        }

        impl ::std::str::FromStr for $name {
            type Err = $crate::string_enum::UnknownWord;

            fn from_str(text: &str) -> ::std::result::Result<Self, Self::Err> {
                match text {
                    $($word => Ok($name::$variant),)+
                    _ => Err($crate::string_enum::UnknownWord::new($noun, &[$($word),+], text)),
                }
            }
        }

        impl $crate::string_enum::serde::Serialize for $name {
            fn serialize<S>(&self, serializer: S) -> ::std::result::Result<S::Ok, S::Error>
            where
                S: $crate::string_enum::serde::Serializer,
            {
                serializer.serialize_str(self.as_str())
            }
        }

        impl<'de> $crate::string_enum::serde::Deserialize<'de> for $name {
            fn deserialize<D>(deserializer: D) -> ::std::result::Result<Self, D::Error>
            where
                D: $crate::string_enum::serde::Deserializer<'de>,
            {
                let text = <::std::string::String as $crate::string_enum::serde::Deserialize>::
                    deserialize(deserializer)?;
                match text.as_str() {
                    $($word => Ok($name::$variant),)+
                    _ => Err(<D::Error as $crate::string_enum::serde::de::Error>::
                        unknown_variant(&text, &[$($word),+])),
                }
            }
        }
    };
}

#[doc(hidden)]
pub use serde;

/// A text that is none of an enum's words.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{noun} is {}, not {text:?}", listed(.words))]
pub struct UnknownWord {
    noun: &'static str,
    words: &'static [&'static str],
    text: String,
}

impl UnknownWord {
    pub fn new(noun: &'static str, words: &'static [&'static str], text: &str) -> Self {
        UnknownWord {
            noun,
            words,
            text: text.to_owned(),
        }
    }
}

/// The words as a sentence lists them: `refund, settlement or cash_out`.
fn listed(words: &[&str]) -> String {
    match words {
        [] => String::new(),
        [only] => (*only).to_owned(),
        [first @ .., last] => format!("{} or {last}", first.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    string_enum! {
        /// A sample with a word that no derive would make of its variant.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        enum SampleWord("sample") {
            First = "first",
            Second = "the second",
            /// Documented, as variants are.
            Third = "3",
        }
    }

    #[test]
    fn each_word_is_read_back() {
        for sample in SampleWord::ALL {
            assert_eq!(sample.as_str().parse(), Ok(sample));
            let json = serde_json::to_string(&sample).unwrap();
            assert_eq!(json, format!("{:?}", sample.as_str()));
            assert_eq!(serde_json::from_str::<SampleWord>(&json).unwrap(), sample);
        }
    }

    #[test]
    fn another_word_is_refused_with_the_list() {
        let error = "Second".parse::<SampleWord>().unwrap_err();
        assert_eq!(
            error.to_string(),
            "sample is first, the second or 3, not \"Second\""
        );
        let error = serde_json::from_str::<SampleWord>("\"Second\"").unwrap_err();
        let expected = "unknown variant `Second`, expected one of `first`, `the second`, `3`";
        assert!(error.to_string().starts_with(expected), "{error}");
    }
}
