//! The field paths that a JSON object sets, for the update masks of PATCH.

use super::lexer::{Failed, Lexer, Outcome};
use crate::schema::MessageId;
use crate::transcode::codec::Codec;
use crate::transcode::options::ReadOptions;
use crate::transcode::plan::{FieldPlan, Kind, MessagePlan, Shape};
use crate::transcode::problem::{JsonError, Segment, excerpt};

/// How much memory the paths of one text may take, in bytes. Deep in a message a few bytes of JSON make a long path.
const MOST: usize = 1 << 20;

/// The paths in the names of the .proto file, in the order of the text. They stop at fields that a mask
/// cannot look into: repeated ones, maps, Any and the other well-known types (google.aip.dev/161).
pub(in crate::transcode) fn field_paths(
    codec: &Codec,
    message: MessageId,
    json: &[u8],
    options: &ReadOptions,
) -> Result<Vec<String>, JsonError> {
    let mut walk = Walk {
        codec,
        ignore_unknown: options.ignore_unknown,
        lexer: Lexer::new(json, options.max_depth),
        prefix: String::new(),
        paths: Vec::new(),
        size: 0,
    };
    let plan = codec.message_plan(message);
    match walk.object(plan).and_then(|()| walk.lexer.finish()) {
        Ok(()) => Ok(walk.paths),
        Err(Failed) => Err(walk.lexer.into_report().into_json_error()),
    }
}

struct Walk<'c, 'j> {
    codec: &'c Codec,
    ignore_unknown: bool,
    lexer: Lexer<'j>,
    /// The path of the object at hand, with a dot at its end.
    prefix: String,
    paths: Vec<String>,
    /// The memory that they take.
    size: usize,
}

impl Walk<'_, '_> {
    fn object(&mut self, plan: &MessagePlan) -> Outcome {
        self.lexer.open(b'{', "an object")?;
        let mut more = self.lexer.first(b'}');
        while more {
            self.member(plan)?;
            more = self.lexer.next(b'}')?;
        }
        Ok(())
    }

    fn member(&mut self, plan: &MessagePlan) -> Outcome {
        let at = self.lexer.pos;
        let name = self.lexer.string()?;
        self.lexer.colon()?;
        match plan.index_by_name(&name).and_then(|index| plan.fields.get(index)) {
            Some(field) => self.field(field),
            None if self.ignore_unknown => self.lexer.skip(),
            None => {
                let name = excerpt(&name);
                let failed = self.lexer.fail_at(at, format!("{} has no field \"{name}\"", plan.name));
                self.lexer.trail(Segment::Field(name.into()));
                failed
            }
        }
    }

    fn field(&mut self, field: &FieldPlan) -> Outcome {
        let inner = field.message.filter(|_| field.kind == Kind::Message && field.shape == Shape::Singular);
        let Some(inner) = inner.filter(|_| self.lexer.token() == b'{') else {
            self.add(field)?;
            return self.lexer.skip();
        };
        let before = (self.prefix.len(), self.paths.len());
        self.prefix.extend([&*field.name, "."]);
        self.object(self.codec.message_plan(inner))?;
        self.prefix.truncate(before.0);
        if self.paths.len() == before.1 {
            // An empty object sets the message itself.
            self.add(field)?;
        }
        Ok(())
    }

    fn add(&mut self, field: &FieldPlan) -> Outcome {
        let path = format!("{}{}", self.prefix, field.name);
        self.size += size_of::<String>() + path.len();
        if self.size > MOST {
            return self.lexer.fail("the body sets more fields than a mask of 1 MiB can name");
        }
        self.paths.push(path);
        Ok(())
    }
}
