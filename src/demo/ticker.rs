//! `Ticker`: the till, a stream of sales that resumes after a cursor and fails on request.

use std::time::{Duration, SystemTime};

use futures_util::StreamExt as _;
use futures_util::stream::{self, BoxStream};
use tonic::{Code, Request, Response, Status};

use super::bookshop::seed;
use super::fault;
use super::proto::transom::demo::v1::{Sale, WatchRequest, ticker_server};

/// The pause before each sale when the request names none.
const INTERVAL: Duration = Duration::from_secs(1);

/// The longest pause, so that a silent stream is not mistaken for a dead one.
const MAX_INTERVAL: Duration = Duration::from_secs(60);

/// The service; the stream is computed, so it has no state.
pub struct Ticker;

#[tonic::async_trait]
impl ticker_server::Ticker for Ticker {
    type WatchStream = BoxStream<'static, Result<Sale, Status>>;

    async fn watch(&self, request: Request<WatchRequest>) -> Result<Response<Self::WatchStream>, Status> {
        let watch = Watch::parse(&request.into_inner())?;
        let sales = stream::unfold(watch, |mut watch| async move {
            let sale = watch.next().await?;
            Some((sale, watch))
        });
        Ok(Response::new(sales.boxed()))
    }
}

/// One stream.
struct Watch {
    /// The cursor of the last sale that was sent.
    cursor: i64,
    /// The cursor of the last sale there is, if there is a last one.
    last: Option<i64>,
    interval: Duration,
    /// After which cursor the stream fails, and how.
    failure: Option<(i64, Code)>,
    failed: bool,
}

impl Watch {
    fn parse(request: &WatchRequest) -> Result<Self, Status> {
        if request.after < 0 {
            return Err(fault::invalid_field("after", "a cursor is not negative"));
        }
        let code = fault::code("fail_code", request.fail_code, Code::Unavailable)?;
        // A stream that starts where the failure stands was resumed there and has seen it; only the first
        // start of all, before sale 1, has not.
        let ahead = |&at: &i64| at > request.after || (at == 0 && request.after == 0);
        Ok(Self {
            cursor: request.after,
            last: last(request)?,
            interval: interval(request)?,
            failure: request.fail_after.filter(ahead).map(|at| (at, code)),
            failed: false,
        })
    }

    /// The next sale or the failure; `None` at the end.
    async fn next(&mut self) -> Option<Result<Sale, Status>> {
        if self.failed {
            return None;
        }
        if let Some((at, code)) = self.failure
            && at == self.cursor
        {
            self.failed = true;
            let message = format!("the till jammed after sale {at}, as you asked");
            return Some(Err(Status::new(code, message)));
        }
        if self.last.is_some_and(|last| self.cursor >= last) {
            return None;
        }
        if !self.interval.is_zero() {
            tokio::time::sleep(self.interval).await;
        }
        self.cursor = self.cursor.checked_add(1)?;
        Some(Ok(sale(self.cursor)))
    }
}

fn last(request: &WatchRequest) -> Result<Option<i64>, Status> {
    match request.count {
        ..0 => Err(fault::invalid_field("count", "a count is not negative")),
        0 => Ok(None),
        count => Ok(Some(count)),
    }
}

fn interval(request: &WatchRequest) -> Result<Duration, Status> {
    let Some(interval) = request.interval else { return Ok(INTERVAL) };
    let interval = Duration::try_from(interval).unwrap_or(Duration::MAX);
    if interval > MAX_INTERVAL {
        return Err(fault::invalid_field("interval", "from 0s to 60s"));
    }
    if interval.is_zero() && request.count == 0 {
        return Err(fault::invalid_field("interval", "a stream without a pause needs a count"));
    }
    Ok(interval)
}

/// The sale of this cursor: the same in every stream but for its time.
fn sale(cursor: i64) -> Sale {
    let spread = cursor.unsigned_abs().wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32;
    Sale {
        cursor,
        time: Some(SystemTime::now().into()),
        title: seed::title(spread).to_owned(),
        copies: if spread.is_multiple_of(7) { 2 } else { 1 },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn cursors(request: WatchRequest) -> (Vec<i64>, Option<Code>) {
        let mut watch = Watch::parse(&request).unwrap();
        let mut seen = Vec::new();
        while let Some(item) = watch.next().await {
            match item {
                Ok(sale) => seen.push(sale.cursor),
                Err(status) => {
                    assert!(watch.next().await.is_none(), "nothing follows a failure");
                    return (seen, Some(status.code()));
                }
            }
        }
        (seen, None)
    }

    fn quick(after: i64, count: i64) -> WatchRequest {
        let interval = Some(prost_types::Duration::default());
        WatchRequest { after, count, interval, ..WatchRequest::default() }
    }

    #[tokio::test]
    async fn count_is_the_cursor_of_the_last_sale_wherever_a_stream_starts() {
        assert_eq!(cursors(quick(0, 3)).await, (vec![1, 2, 3], None));
        assert_eq!(cursors(quick(2, 3)).await, (vec![3], None));
        assert_eq!(cursors(quick(3, 3)).await, (vec![], None));
        assert_eq!(cursors(quick(9, 3)).await, (vec![], None));
    }

    #[tokio::test]
    async fn a_stream_fails_where_it_was_told_and_passes_when_resumed_there() {
        for at in 0..=4 {
            let fail = |after| WatchRequest { fail_after: Some(at), fail_code: 10, ..quick(after, 4) };
            let before = cursors(fail(0)).await;
            assert_eq!(before, ((1..=at).collect(), Some(Code::Aborted)));
            if at > 0 {
                assert_eq!(cursors(fail(at)).await, ((at + 1..=4).collect(), None));
            }
        }
    }

    #[tokio::test]
    async fn a_stream_at_the_end_of_the_numbers_ends() {
        assert_eq!(cursors(quick(i64::MAX - 1, i64::MAX)).await, (vec![i64::MAX], None));
    }

    #[test]
    fn sales_of_one_cursor_are_the_same() {
        let (one, two) = (sale(41), sale(41));
        assert_eq!((one.title, one.copies), (two.title, two.copies));
    }

    #[test]
    fn what_is_out_of_range_is_refused() {
        let seconds = |seconds| Some(prost_types::Duration { seconds, nanos: 0 });
        let refused = [
            WatchRequest { after: -1, ..quick(0, 1) },
            WatchRequest { count: -1, ..quick(0, 1) },
            WatchRequest { interval: seconds(61), ..quick(0, 1) },
            WatchRequest { interval: seconds(-1), ..quick(0, 1) },
            WatchRequest { fail_code: 17, ..quick(0, 1) },
            WatchRequest { fail_code: -1, ..quick(0, 1) },
            quick(0, 0),
        ];
        for request in refused {
            let code = Watch::parse(&request).err().map(|status| status.code());
            assert_eq!(code, Some(Code::InvalidArgument), "{request:?}");
        }
    }
}
