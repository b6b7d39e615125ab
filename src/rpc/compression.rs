//! Compression of single messages (gRPC compression.md): `gzip` and `zstd`, with bounds on what comes out.
//!
//! Pure functions; which messages are compressed, and by what, is said elsewhere.

use std::fmt;
use std::io::{self, Read, Write as _};

use bytes::Bytes;

/// An algorithm, as `grpc-encoding` names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Algorithm {
    Gzip,
    Zstd,
}

/// The largest window of zstd, as a power of two: 8 MiB, as much as RFC 8878 §3.1.1.1.2 asks decoders to
/// support. A frame could ask for gigabytes.
const WINDOW: u32 = 23;

/// Fast rather than small: the network between gateway and upstream is seldom the bottleneck.
const GZIP_LEVEL: flate2::Compression = flate2::Compression::fast();
const ZSTD_LEVEL: i32 = 1;

/// Why compressed bytes are no message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CompressionError {
    /// What comes out is longer than allowed.
    TooLarge { limit: usize },
    /// They are not what the algorithm writes, or not all of it.
    Corrupt,
}

impl fmt::Display for CompressionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLarge { limit } => {
                write!(f, "a compressed message holds more than the limit of {limit} bytes")
            }
            Self::Corrupt => f.write_str("a compressed message cannot be decompressed"),
        }
    }
}

impl std::error::Error for CompressionError {}

impl Algorithm {
    /// All of them, the best first.
    pub const ALL: [Self; 2] = [Self::Zstd, Self::Gzip];

    /// The name on the wire.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Gzip => "gzip",
            Self::Zstd => "zstd",
        }
    }

    /// The algorithm of a name.
    #[must_use]
    pub fn from_name(name: &[u8]) -> Option<Self> {
        Self::ALL.into_iter().find(|algorithm| algorithm.name().as_bytes() == name)
    }

    /// Compresses a message; `None` when that makes it no smaller.
    #[must_use]
    pub fn compress(self, bytes: &[u8]) -> Option<Bytes> {
        let compressed = match self {
            Self::Gzip => gzip(bytes),
            Self::Zstd => zstd::bulk::compress(bytes, ZSTD_LEVEL),
        };
        compressed.ok().filter(|compressed| compressed.len() < bytes.len()).map(Bytes::from)
    }

    /// Decompresses a message. However much it would become, no more than about twice `limit` bytes are held.
    ///
    /// # Errors
    /// When it is none, or holds more than `limit` bytes.
    pub fn decompress(self, bytes: &[u8], limit: usize) -> Result<Bytes, CompressionError> {
        match self {
            Self::Gzip => read(flate2::bufread::MultiGzDecoder::new(bytes), limit),
            Self::Zstd => {
                let decoder = zstd::stream::read::Decoder::with_buffer(bytes);
                let mut decoder = decoder.map_err(|_| CompressionError::Corrupt)?;
                decoder.window_log_max(WINDOW).map_err(|_| CompressionError::Corrupt)?;
                read(decoder, limit)
            }
        }
    }
}

fn gzip(bytes: &[u8]) -> io::Result<Vec<u8>> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::with_capacity(bytes.len() / 2), GZIP_LEVEL);
    encoder.write_all(bytes)?;
    encoder.finish()
}

/// One byte more than the limit tells that there is more, whatever follows it.
fn read(decoder: impl Read, limit: usize) -> Result<Bytes, CompressionError> {
    let mut out = Vec::new();
    let most = u64::try_from(limit).unwrap_or(u64::MAX).saturating_add(1);
    let read = decoder.take(most).read_to_end(&mut out);
    if out.len() > limit {
        return Err(CompressionError::TooLarge { limit });
    }
    read.map_err(|_| CompressionError::Corrupt)?;
    Ok(out.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text() -> Vec<u8> {
        (0..40_000_u32).flat_map(|number| (number % 251).to_le_bytes()).collect()
    }

    #[test]
    fn what_is_compressed_comes_back() {
        for algorithm in Algorithm::ALL {
            let compressed = algorithm.compress(&text()).unwrap();
            assert!(compressed.len() < text().len() / 2, "{algorithm:?}");
            assert_eq!(algorithm.decompress(&compressed, text().len()).unwrap(), text(), "{algorithm:?}");
            assert_eq!(algorithm.compress(b"short"), None, "{algorithm:?}");
            assert_eq!(Algorithm::from_name(algorithm.name().as_bytes()), Some(algorithm));
        }
        assert_eq!(Algorithm::from_name(b"deflate"), None);
    }

    #[test]
    fn what_would_be_too_large_ends_at_the_limit() {
        for algorithm in Algorithm::ALL {
            let bomb = algorithm.compress(&vec![0; 64 << 20]).unwrap();
            assert!(bomb.len() < 1 << 19, "{algorithm:?}");
            let refused = algorithm.decompress(&bomb, 1 << 20);
            assert_eq!(refused, Err(CompressionError::TooLarge { limit: 1 << 20 }), "{algorithm:?}");
            let exact = algorithm.compress(&text()).unwrap();
            assert!(algorithm.decompress(&exact, text().len() - 1).is_err(), "{algorithm:?}");
        }
    }

    #[test]
    fn every_cut_and_every_changed_byte_is_an_answer() {
        let text: Vec<u8> = text().into_iter().take(2000).collect();
        for algorithm in Algorithm::ALL {
            let whole = algorithm.compress(&text).unwrap();
            for cut in 0..whole.len() {
                let refused = algorithm.decompress(&whole[..cut], text.len());
                assert_eq!(refused.err(), Some(CompressionError::Corrupt), "{algorithm:?} cut at {cut}");
            }
            for at in 0..whole.len() {
                let mut changed = whole.to_vec();
                changed[at] ^= 0x55;
                if let Ok(bytes) = algorithm.decompress(&changed, text.len()) {
                    assert!(bytes.len() <= text.len(), "{algorithm:?} at {at}");
                }
            }
        }
    }

    #[test]
    fn a_frame_cannot_ask_for_any_window() {
        // RFC 8878 §3.1.1: a frame of a window of 2^31 bytes, with one empty last block.
        let frame = [0x28, 0xb5, 0x2f, 0xfd, 0x00, 21 << 3, 0x01, 0x00, 0x00];
        assert_eq!(Algorithm::Zstd.decompress(&frame, 1024), Err(CompressionError::Corrupt));
    }
}
