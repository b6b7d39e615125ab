//! The body of a request that is an HTML form, read within its limit.
//!
//! A multipart form is taken apart as it comes; what its fields mean is not known here.

use std::fmt;

use bytes::Bytes;
use http::HeaderMap;

use crate::rpc::Status;
use crate::transcode::form::Form;
use crate::transcode::multipart::{Multipart, MultipartError};

use super::body;
use super::content_type::FormMedia;

/// Reads a form; `None` when there is no body at all.
///
/// # Errors
/// 413 for what is larger than `limit`, 400 for what is no form.
pub(super) async fn read<B>(
    headers: &HeaderMap,
    body: B,
    limit: usize,
    media: FormMedia,
) -> Result<Option<Form>, Status>
where
    B: http_body::Body<Data = Bytes, Error: fmt::Display>,
{
    let boundary = match media {
        FormMedia::UrlEncoded => {
            let text = body::read(headers, body, limit).await?;
            return Ok((!text.is_empty()).then_some(Form::UrlEncoded(text)));
        }
        FormMedia::Multipart(boundary) => boundary,
    };
    let mut multipart = Multipart::new(&boundary);
    let mut is_empty = true;
    body::for_each_chunk(headers, body, limit, |chunk| {
        is_empty = false;
        multipart.push(chunk).map_err(|error| invalid(&error))
    })
    .await?;
    if is_empty {
        return Ok(None);
    }
    Ok(Some(Form::Multipart(multipart.finish().map_err(|error| invalid(&error))?)))
}

fn invalid(error: &MultipartError) -> Status {
    Status::invalid("INVALID_BODY", format!("the request body is invalid: {}", error.0))
}
