//! `Files`: bodies of any size, down and up, in constant memory.

use std::time::Duration;

use bytes::Bytes;
use futures_util::StreamExt as _;
use futures_util::stream::{self, BoxStream};
use tonic::{Request, Response, Status, Streaming};

use super::fault;
use super::proto::google::api::HttpBody;
use super::proto::transom::demo::v1::{DownloadRequest, UploadSummary, files_server};

/// How long the next piece may take to come.
const PATIENCE: Duration = Duration::from_secs(60);

/// Bytes of one message on the way down; a multiple of 256, after which the content repeats itself.
const PIECE: u16 = 32 * 1024;

/// The largest download, in bytes.
const MAX_SIZE: i64 = 16 << 30;

/// The service.
pub struct Files {
    /// One piece of every download.
    piece: Bytes,
}

impl Files {
    /// The service with its piece made.
    pub fn new() -> Self {
        let byte = |n: u16| n.wrapping_mul(31).to_le_bytes()[0];
        Self { piece: (0..PIECE).map(byte).collect() }
    }
}

#[tonic::async_trait]
impl files_server::Files for Files {
    type DownloadStream = BoxStream<'static, Result<HttpBody, Status>>;

    async fn download(
        &self,
        request: Request<DownloadRequest>,
    ) -> Result<Response<Self::DownloadStream>, Status> {
        let DownloadRequest { size, content_type } = request.into_inner();
        if !(0..=MAX_SIZE).contains(&size) {
            return Err(fault::invalid_field("size", "from 0 to 17179869184 bytes"));
        }
        let content_type = media_type(content_type)?;
        Ok(Response::new(pieces(self.piece.clone(), size, content_type).map(Ok).boxed()))
    }

    async fn upload(&self, request: Request<Streaming<HttpBody>>) -> Result<Response<UploadSummary>, Status> {
        let mut messages = request.into_inner();
        let mut summary = UploadSummary::default();
        let mut crc = Crc32::new();
        let late = |_| Status::deadline_exceeded("no piece has come for a minute");
        while let Some(body) = tokio::time::timeout(PATIENCE, messages.message()).await.map_err(late)?? {
            if summary.messages == 0 {
                summary.content_type = body.content_type;
            }
            summary.messages += 1;
            summary.size += i64::try_from(body.data.len()).unwrap_or(i64::MAX);
            crc.update(&body.data);
        }
        summary.crc32 = crc.finish();
        Ok(Response::new(summary))
    }
}

/// `size` bytes in messages; the first names the content type, also when there are no bytes.
fn pieces(
    piece: Bytes,
    size: i64,
    content_type: String,
) -> impl futures_core::Stream<Item = HttpBody> + Send {
    stream::unfold((size, Some(content_type)), move |(left, content_type)| {
        let length = usize::try_from(left).map_or(piece.len(), |left| left.min(piece.len()));
        let data = piece.slice(..length);
        async move {
            if data.is_empty() && content_type.is_none() {
                return None;
            }
            let left = left - i64::try_from(data.len()).unwrap_or(left);
            let content_type = content_type.unwrap_or_default();
            Some((HttpBody { content_type, data, extensions: Vec::new() }, (left, None)))
        }
    })
}

/// A media type fit for a header; the default when the request names none.
fn media_type(asked: String) -> Result<String, Status> {
    if asked.is_empty() {
        return Ok("application/octet-stream".to_owned());
    }
    if asked.len() > 100 || !asked.bytes().all(|byte| (b' '..=b'~').contains(&byte)) {
        return Err(fault::invalid_field("content_type", "not a media type"));
    }
    Ok(asked)
}

/// CRC-32 of IEEE 802.3, the one of gzip and PNG.
struct Crc32(u32);

impl Crc32 {
    const TABLE: [u32; 256] = Self::table();

    const fn table() -> [u32; 256] {
        let mut table = [0; 256];
        let mut index = 0;
        let mut byte = 0_u32;
        while index < table.len() {
            let mut value = byte;
            let mut bit = 0;
            while bit < 8 {
                value = if value & 1 == 1 { (value >> 1) ^ 0xEDB8_8320 } else { value >> 1 };
                bit += 1;
            }
            #[expect(clippy::indexing_slicing, reason = "evaluated by the compiler, below the length")]
            {
                table[index] = value;
            }
            index += 1;
            byte += 1;
        }
        table
    }

    const fn new() -> Self {
        Self(!0)
    }

    fn update(&mut self, bytes: &[u8]) {
        for byte in bytes {
            let [low, ..] = self.0.to_le_bytes();
            #[expect(clippy::indexing_slicing, reason = "a byte is always below 256")]
            let entry = Self::TABLE[usize::from(low ^ byte)];
            self.0 = (self.0 >> 8) ^ entry;
        }
    }

    const fn finish(self) -> u32 {
        !self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn crc32_is_that_of_ieee_802_3_at_every_cut() {
        let text = b"123456789";
        for cut in 0..=text.len() {
            let mut crc = Crc32::new();
            crc.update(&text[..cut]);
            crc.update(&text[cut..]);
            assert_eq!(crc.finish(), 0xCBF4_3926);
        }
    }

    #[tokio::test]
    async fn a_download_has_its_size_and_its_bytes() {
        for size in [0, 1, i64::from(PIECE) - 1, i64::from(PIECE), i64::from(PIECE) + 1, 100_000] {
            let files = Files::new();
            let messages: Vec<_> = pieces(files.piece, size, "text/plain".into()).collect().await;
            assert_eq!(messages[0].content_type, "text/plain");
            assert!(messages[1..].iter().all(|message| message.content_type.is_empty()));
            let bytes: Vec<u8> = messages.iter().flat_map(|message| message.data.to_vec()).collect();
            assert_eq!(i64::try_from(bytes.len()).unwrap(), size);
            for (index, byte) in bytes.iter().enumerate() {
                assert_eq!(usize::from(*byte), index * 31 % 256);
            }
        }
    }

    #[test]
    fn a_media_type_cannot_break_a_header() {
        assert_eq!(media_type(String::new()).unwrap(), "application/octet-stream");
        assert_eq!(media_type("text/html; charset=utf-8".into()).unwrap(), "text/html; charset=utf-8");
        for wrong in ["a\r\nb", "a\0", "é", &"x".repeat(101)] {
            assert!(media_type(wrong.to_owned()).is_err(), "{wrong:?}");
        }
    }
}
