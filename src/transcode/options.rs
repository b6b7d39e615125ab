//! The choices that a policy leaves open for JSON; the defaults are ProtoJSON's own.

/// How deep objects and arrays may nest, unless options say otherwise.
pub const DEFAULT_MAX_DEPTH: usize = 64;

/// How JSON is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReadOptions {
    /// Unknown members and unknown enum names are skipped instead of refused.
    pub ignore_unknown: bool,
    /// Enum names match whatever their case (ASCII).
    pub enum_ignore_case: bool,
    /// Enum names may lack the prefix that the enum's name makes (`RED` for `COLOR_RED` of `Color`).
    pub enum_strip_prefix: bool,
    /// How deep objects and arrays may nest; 64 by default.
    pub max_depth: usize,
}

impl Default for ReadOptions {
    fn default() -> Self {
        Self {
            ignore_unknown: false,
            enum_ignore_case: false,
            enum_strip_prefix: false,
            max_depth: DEFAULT_MAX_DEPTH,
        }
    }
}

/// How JSON is written.
#[expect(clippy::struct_excessive_bools, reason = "options are independent of each other")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WriteOptions {
    /// 64-bit integers are numbers instead of strings; JavaScript rounds those above 2⁵³.
    pub int64_as_number: bool,
    /// Enums are numbers instead of names.
    pub enums_as_numbers: bool,
    /// Members are named as in the .proto file instead of in lowerCamelCase.
    pub proto_names: bool,
    /// Fields without presence are written even where they have their default value.
    pub print_defaults: bool,
    /// Enum names are written without the prefix that the enum's name makes.
    pub enum_strip_prefix: bool,
    /// An Any of a type that the schema lacks is written as `{"@type":…,"value":"<base64>"}` instead of
    /// refused: for the details of errors, where something is better than nothing.
    pub unknown_any_as_base64: bool,
    /// How deep objects and arrays may nest; 64 by default.
    pub max_depth: usize,
    /// How long the JSON of a message may be, in bytes; without limit by default. Names of enums and default
    /// values that are printed have whatever length the schema gives them, so a few bytes can become much.
    pub max_length: usize,
}

impl Default for WriteOptions {
    fn default() -> Self {
        Self {
            int64_as_number: false,
            enums_as_numbers: false,
            proto_names: false,
            print_defaults: false,
            enum_strip_prefix: false,
            unknown_any_as_base64: false,
            max_depth: DEFAULT_MAX_DEPTH,
            max_length: usize::MAX,
        }
    }
}
