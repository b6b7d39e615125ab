//! What sending calls again may cost: tokens of their upstream, and memory of the process.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::throttle::Throttle;
use crate::rpc::{Attempt, Call, Message, Messages};

/// The largest message that is kept to be sent again, in bytes.
const LARGEST: usize = 64 * 1024;

/// The most bytes that all calls of the process keep.
const MOST: usize = 64 * 1024 * 1024;

/// The budget of one upstream; clones are the same.
#[derive(Clone, Debug, Default)]
pub struct Budget {
    pub tokens: Arc<Throttle>,
    pub memory: Memory,
}

/// The bytes that are kept in the whole process; clones are the same.
#[derive(Clone, Debug, Default)]
pub struct Memory(Arc<AtomicUsize>);

/// A share of the memory, given back when dropped.
#[derive(Debug)]
struct Kept {
    memory: Memory,
    bytes: usize,
}

/// A call that can be sent several times.
pub struct Copies {
    call: Call,
    message: Message,
    _kept: Kept,
}

impl Budget {
    /// Keeps a call to send it several times.
    ///
    /// # Errors
    /// The call itself, when it can be sent only once: its messages are a stream, or too large to keep, or
    /// other calls keep as much as may be kept.
    pub fn keep(&self, call: Call) -> Result<Copies, Box<Call>> {
        let Messages::One(message) = &call.messages else { return Err(Box::new(call)) };
        match self.memory.take(message.bytes.len()) {
            Some(kept) => Ok(Copies { message: message.clone(), call, _kept: kept }),
            None => Err(Box::new(call)),
        }
    }
}

impl Memory {
    fn take(&self, bytes: usize) -> Option<Kept> {
        if bytes > LARGEST {
            return None;
        }
        let kept = Kept { memory: self.clone(), bytes };
        // Where it is too much, `kept` gives it back.
        (self.0.fetch_add(bytes, Ordering::Relaxed) + bytes <= MOST).then_some(kept)
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        self.memory.0.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

impl Copies {
    /// The call once more.
    pub fn make(&self, attempt: Attempt) -> Call {
        let call = &self.call;
        Call {
            method: call.method.clone(),
            kind: call.kind,
            idempotent: call.idempotent,
            affinity: call.affinity,
            policy: Arc::clone(&call.policy),
            metadata: call.metadata.clone(),
            deadline: call.deadline,
            encoding: call.encoding.clone(),
            accept_encoding: call.accept_encoding.clone(),
            messages: Messages::One(self.message.clone()),
            attempt,
        }
    }

    /// The call as it came.
    pub const fn call(&self) -> &Call {
        &self.call
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_all_calls_keep_is_bounded_and_comes_back() {
        let memory = Memory::default();
        assert!(memory.take(LARGEST + 1).is_none(), "too large for one");
        let kept: Vec<_> = std::iter::from_fn(|| memory.clone().take(LARGEST)).collect();
        assert_eq!(kept.len(), MOST / LARGEST);
        assert!(memory.take(1).is_none() && memory.take(0).is_some());
        drop(kept);
        assert_eq!(memory.0.load(Ordering::Relaxed), 0);
        assert!(memory.take(LARGEST).is_some());
    }
}
