//! Features of editions, resolved: what `syntax` or `edition` and the nearest `features` option say of
//! presence, packing, closed enums and delimited messages.
//!
//! Source: protobuf.dev "Feature Settings for Editions" and the edition defaults of descriptor.proto.

use super::descriptor::{FeatureSet, FileDescriptor};

/// Values of google.protobuf.FeatureSet, by number.
mod value {
    pub(super) const IMPLICIT: i32 = 2;
    pub(super) const LEGACY_REQUIRED: i32 = 3;
    pub(super) const CLOSED: i32 = 2;
    pub(super) const EXPANDED: i32 = 2;
    pub(super) const UTF8_NONE: i32 = 3;
    pub(super) const DELIMITED: i32 = 2;
}

/// google.protobuf.Edition, by number.
const EDITION_2023: i32 = 1000;
const EDITION_2024: i32 = 1001;

/// The features of one element.
#[expect(clippy::struct_excessive_bools, reason = "features are independent of each other")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Features {
    pub(super) implicit_presence: bool,
    pub(super) required: bool,
    pub(super) closed_enum: bool,
    pub(super) packed: bool,
    pub(super) validate_utf8: bool,
    pub(super) delimited: bool,
}

impl Features {
    const PROTO2: Self = Self {
        implicit_presence: false,
        required: false,
        closed_enum: true,
        packed: false,
        validate_utf8: false,
        delimited: false,
    };
    const PROTO3: Self = Self {
        implicit_presence: true,
        closed_enum: false,
        packed: true,
        validate_utf8: true,
        ..Self::PROTO2
    };
    const EDITIONS: Self = Self { implicit_presence: false, ..Self::PROTO3 };

    /// The features of a file.
    ///
    /// # Errors
    /// The text of a syntax or an edition that is not known.
    pub(super) fn of_file(file: &FileDescriptor) -> Result<Self, String> {
        let defaults = match (file.syntax(), file.edition()) {
            ("" | "proto2", 0) => Self::PROTO2,
            ("proto3", 0) => Self::PROTO3,
            ("" | "editions", EDITION_2023 | EDITION_2024) => Self::EDITIONS,
            ("" | "editions", edition) => return Err(format!("edition number {edition}")),
            (syntax, _) => return Err(format!("syntax \"{syntax}\"")),
        };
        Ok(defaults.refined(file.options.as_ref().and_then(|options| options.features.as_ref())))
    }

    /// These features, where a nearer element says otherwise.
    pub(super) fn refined(self, nearer: Option<&FeatureSet>) -> Self {
        let Some(nearer) = nearer else { return self };
        let pick =
            |set: Option<i32>, number: i32, inherited: bool| set.map_or(inherited, |set| set == number);
        Self {
            implicit_presence: pick(nearer.field_presence, value::IMPLICIT, self.implicit_presence),
            required: pick(nearer.field_presence, value::LEGACY_REQUIRED, self.required),
            closed_enum: pick(nearer.enum_type, value::CLOSED, self.closed_enum),
            packed: !pick(nearer.repeated_field_encoding, value::EXPANDED, !self.packed),
            validate_utf8: !pick(nearer.utf8_validation, value::UTF8_NONE, !self.validate_utf8),
            delimited: pick(nearer.message_encoding, value::DELIMITED, self.delimited),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(syntax: &str, edition: i32) -> FileDescriptor {
        FileDescriptor {
            syntax: (!syntax.is_empty()).then(|| syntax.to_owned()),
            edition: (edition != 0).then_some(edition),
            ..FileDescriptor::default()
        }
    }

    #[test]
    fn each_syntax_has_its_defaults() {
        assert_eq!(Features::of_file(&file("", 0)), Ok(Features::PROTO2));
        assert_eq!(Features::of_file(&file("proto3", 0)), Ok(Features::PROTO3));
        assert_eq!(Features::of_file(&file("editions", EDITION_2023)), Ok(Features::EDITIONS));
        assert_eq!(Features::of_file(&file("editions", 9999)), Err("edition number 9999".into()));
        assert_eq!(Features::of_file(&file("proto4", 0)), Err("syntax \"proto4\"".into()));
    }

    #[test]
    fn the_nearest_feature_wins_key_by_key() {
        let nearer = FeatureSet { field_presence: Some(value::IMPLICIT), ..FeatureSet::default() };
        let refined = Features::EDITIONS.refined(Some(&nearer));
        assert!(refined.implicit_presence && refined.packed && refined.validate_utf8);
        let expanded = FeatureSet { repeated_field_encoding: Some(value::EXPANDED), ..FeatureSet::default() };
        assert!(!refined.refined(Some(&expanded)).packed);
        let explicit = FeatureSet { field_presence: Some(1), ..FeatureSet::default() };
        assert!(!refined.refined(Some(&explicit)).implicit_presence);
    }
}
