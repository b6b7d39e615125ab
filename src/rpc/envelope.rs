//! gRPC's length-prefixed messages: a flag byte, four bytes of length, the message
//! (gRPC PROTOCOL-HTTP2, "Length-Prefixed-Message").
//!
//! [`Decoder`] cuts messages out of chunks of any size; a message that arrives whole in one chunk is
//! not copied. It knows nothing of compression but the flag.

use bytes::{Buf, BufMut, Bytes, BytesMut};

use super::Message;

/// The bytes in front of each message.
pub const PREFIX: usize = 5;

/// How much is reserved ahead of what has really arrived, so that a length alone costs no memory.
const RESERVE: usize = 64 * 1024;

/// The prefix of a message.
///
/// Messages are limited to far less than 4 GiB when they are read, so the length always fits.
#[must_use]
pub fn prefix(message: &Message) -> [u8; PREFIX] {
    let length = u32::try_from(message.bytes.len()).unwrap_or(u32::MAX).to_be_bytes();
    [u8::from(message.compressed), length[0], length[1], length[2], length[3]]
}

/// The message with its prefix, in one buffer.
#[must_use]
pub fn encode(message: &Message) -> Bytes {
    let mut buffer = BytesMut::with_capacity(PREFIX + message.bytes.len());
    buffer.put_slice(&prefix(message));
    buffer.put_slice(&message.bytes);
    buffer.freeze()
}

/// Why bytes are no sequence of messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EnvelopeError {
    /// A message is longer than allowed.
    TooLarge { length: usize, limit: usize },
    /// The flag byte is neither 0 nor 1.
    Flag(u8),
    /// The bytes end within a message.
    Truncated,
}

impl std::fmt::Display for EnvelopeError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::TooLarge { length, limit } => {
                write!(f, "a message of {length} bytes is larger than the limit of {limit} bytes")
            }
            Self::Flag(flag) => {
                write!(f, "the flag byte {flag:#04x} in front of a message is neither 0 nor 1")
            }
            Self::Truncated => f.write_str("the stream ends within a message"),
        }
    }
}

impl std::error::Error for EnvelopeError {}

/// Cuts messages out of a byte stream.
#[derive(Debug)]
pub struct Decoder {
    /// What has arrived and is not looked at yet.
    chunk: Bytes,
    /// The start of a message whose rest is still to come.
    partial: BytesMut,
    limit: usize,
}

impl Decoder {
    /// A decoder that refuses messages of more than `limit` bytes.
    #[must_use]
    pub fn new(limit: usize) -> Self {
        Self { chunk: Bytes::new(), partial: BytesMut::new(), limit }
    }

    /// Takes the next bytes. All messages of the bytes before must have been taken with
    /// [`Decoder::take`]; bytes that were not are kept all the same, at the price of a copy.
    pub fn push(&mut self, chunk: Bytes) {
        if self.chunk.has_remaining() {
            let mut joined = BytesMut::with_capacity(self.chunk.len() + chunk.len());
            joined.put_slice(&self.chunk);
            joined.put_slice(&chunk);
            self.chunk = joined.freeze();
        } else {
            self.chunk = chunk;
        }
    }

    /// The next message, or `None` when more bytes are needed.
    ///
    /// # Errors
    /// When the bytes cannot be messages; the decoder is of no use afterwards.
    pub fn take(&mut self) -> Result<Option<Message>, EnvelopeError> {
        if self.partial.is_empty()
            && let Some(head) = self.chunk.first_chunk::<PREFIX>()
        {
            let (compressed, length) = self.parse(*head)?;
            if self.chunk.len() - PREFIX >= length {
                self.chunk.advance(PREFIX);
                return Ok(Some(Message { bytes: self.chunk.split_to(length), compressed }));
            }
        }
        self.next_partial()
    }

    fn next_partial(&mut self) -> Result<Option<Message>, EnvelopeError> {
        self.fill(PREFIX);
        let Some(head) = self.partial.first_chunk::<PREFIX>() else {
            return Ok(None);
        };
        let (compressed, length) = self.parse(*head)?;
        self.fill(PREFIX + length);
        if self.partial.len() < PREFIX + length {
            return Ok(None);
        }
        let mut message = std::mem::take(&mut self.partial);
        message.advance(PREFIX);
        Ok(Some(Message { bytes: message.freeze(), compressed }))
    }

    /// Moves bytes from the chunk until the partial message has `wanted` bytes, or none are left.
    fn fill(&mut self, wanted: usize) {
        let missing = wanted.saturating_sub(self.partial.len());
        let taken = self.chunk.split_to(missing.min(self.chunk.len()));
        if self.partial.capacity() < wanted && !taken.is_empty() {
            self.partial.reserve(missing.min(taken.len().max(RESERVE)));
        }
        self.partial.extend_from_slice(&taken);
    }

    fn parse(&self, [flag, length @ ..]: [u8; PREFIX]) -> Result<(bool, usize), EnvelopeError> {
        if flag > 1 {
            return Err(EnvelopeError::Flag(flag));
        }
        let length = usize::try_from(u32::from_be_bytes(length)).unwrap_or(usize::MAX);
        if length > self.limit {
            return Err(EnvelopeError::TooLarge { length, limit: self.limit });
        }
        Ok((flag == 1, length))
    }

    /// Says that no bytes will follow.
    ///
    /// # Errors
    /// When they end within a message.
    pub fn finish(&self) -> Result<(), EnvelopeError> {
        if self.partial.is_empty() && self.chunk.is_empty() { Ok(()) } else { Err(EnvelopeError::Truncated) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn messages() -> Vec<Message> {
        ["", "a", "hello", &"x".repeat(300)]
            .into_iter()
            .map(|text| Message { bytes: Bytes::from(text.to_owned()), compressed: text.len() == 5 })
            .collect()
    }

    fn wire() -> Bytes {
        messages().iter().flat_map(encode).collect::<Vec<_>>().into()
    }

    fn drain(decoder: &mut Decoder) -> Vec<Message> {
        std::iter::from_fn(|| decoder.take().unwrap()).collect()
    }

    #[test]
    fn messages_survive_every_cut() {
        let wire = wire();
        for first in 0..=wire.len() {
            for second in first..=wire.len() {
                let mut decoder = Decoder::new(1000);
                let mut read = Vec::new();
                for part in [wire.slice(..first), wire.slice(first..second), wire.slice(second..)] {
                    decoder.push(part);
                    read.extend(drain(&mut decoder));
                }
                assert_eq!(read, messages(), "cut at {first} and {second}");
                decoder.finish().unwrap();
            }
        }
    }

    #[test]
    fn a_chunk_may_follow_before_the_last_was_read() {
        let wire = wire();
        let mut decoder = Decoder::new(1000);
        for byte in 0..wire.len() {
            decoder.push(wire.slice(byte..=byte));
        }
        assert_eq!(drain(&mut decoder), messages());
    }

    #[test]
    fn a_whole_message_is_not_copied() {
        let wire = wire();
        let mut decoder = Decoder::new(1000);
        decoder.push(wire.slice(5..));
        let message = decoder.take().unwrap().unwrap();
        assert!(wire.as_ptr_range().contains(&message.bytes.as_ptr()));
    }

    #[test]
    fn hostile_prefixes_are_errors() {
        let next = |bytes: &'static [u8]| {
            let mut decoder = Decoder::new(10);
            decoder.push(Bytes::from_static(bytes));
            decoder.take()
        };
        assert_eq!(next(&[0, 0, 0, 0, 11]), Err(EnvelopeError::TooLarge { length: 11, limit: 10 }));
        assert_eq!(
            next(&[0, 255, 255, 255, 255]),
            Err(EnvelopeError::TooLarge { length: 0xffff_ffff, limit: 10 })
        );
        assert_eq!(next(&[2, 0, 0, 0, 0]), Err(EnvelopeError::Flag(2)));
    }

    #[test]
    fn an_end_within_a_message_is_an_error() {
        let mut decoder = Decoder::new(10);
        decoder.push(Bytes::from_static(&[0, 0, 0]));
        assert_eq!(decoder.take(), Ok(None));
        assert_eq!(decoder.finish(), Err(EnvelopeError::Truncated));
    }

    #[test]
    fn a_length_alone_reserves_little() {
        let mut decoder = Decoder::new(usize::MAX);
        decoder.push(Bytes::from_static(&[0, 0xff, 0xff, 0xff, 0xff, 1]));
        assert_eq!(decoder.take(), Ok(None));
        assert!(decoder.partial.capacity() <= 2 * RESERVE);
    }
}
