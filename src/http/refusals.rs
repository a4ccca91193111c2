//! Answers to requests that never became one: hyper refuses a head that it can't read by itself, with a status and no
//! body, and the service is not asked. Clients that read every answer as JSON are given one all the same.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Makes the whole response, head and body, to a request that was refused with this status.
pub type Refusing = Arc<dyn Fn(u16) -> Vec<u8> + Send + Sync>;

/// What hyper's own refusals begin with, to be followed by the status.
const START: &[u8] = b"HTTP/1.1 4";

/// A header that every answer of the service has, and none of hyper's.
const OURS: &[u8] = b"\r\nx-request-id:";

/// A stream that says something else where hyper says no.
pub(super) struct Telling<S> {
    stream: S,
    refusing: Option<Refusing>,
    /// What is written in place of a refusal, and how much of it is out.
    instead: Option<(Vec<u8>, usize)>,
}

impl<S> Telling<S> {
    pub(super) fn new(stream: S, refusing: Option<Refusing>) -> Self {
        Self {
            stream,
            refusing,
            instead: None,
        }
    }

    fn replacement(&self, bytes: &[u8]) -> Option<Vec<u8>> {
        let refusing = self.refusing.as_ref()?;
        Some(refusing(refusal(bytes)?))
    }
}

/// The status of an answer without a body that is not the service's.
fn refusal(bytes: &[u8]) -> Option<u16> {
    if !bytes.starts_with(START) || !bytes.ends_with(b"\r\n\r\n") {
        return None;
    }
    let has = |what: &[u8]| memchr::memmem::find(bytes, what).is_some();
    if has(OURS) || !has(b"\r\ncontent-length: 0\r\n") {
        return None;
    }
    std::str::from_utf8(bytes.get(9..12)?).ok()?.parse().ok()
}

impl<S: AsyncRead + Unpin> AsyncRead for Telling<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Telling<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        if self.instead.is_none() {
            match self.replacement(bytes) {
                Some(other) => self.instead = Some((other, 0)),
                None => return Pin::new(&mut self.stream).poll_write(context, bytes),
            }
        }
        let this = &mut *self;
        while let Some((other, at)) = &mut this.instead {
            let rest = other.get(*at..).unwrap_or_default();
            if rest.is_empty() {
                this.instead = None;
                break;
            }
            let written = ready!(Pin::new(&mut this.stream).poll_write(context, rest))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            *at += written;
        }
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let first = slices.iter().find(|slice| !slice.is_empty());
        match first {
            Some(first) if self.instead.is_some() || refusal(first).is_some() => {
                self.poll_write(context, first)
            }
            _ => Pin::new(&mut self.stream).poll_write_vectored(context, slices),
        }
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncWriteExt as _;

    use super::*;

    const HYPERS: &[u8] = b"HTTP/1.1 431 Request Header Fields Too Large\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";

    async fn written(bytes: &[u8]) -> Vec<u8> {
        let refusing: Refusing = Arc::new(|status| format!("refused {status}").into_bytes());
        let mut stream = Telling::new(Vec::new(), Some(refusing));
        stream.write_all(bytes).await.unwrap();
        stream.stream
    }

    #[tokio::test]
    async fn only_hypers_own_refusals_are_replaced() {
        assert_eq!(written(HYPERS).await, b"refused 431");
        for kept in [
            &b"HTTP/1.1 412 Precondition Failed\r\nx-request-id: 1\r\ncontent-length: 0\r\n\r\n"[..],
            b"HTTP/1.1 400 Bad Request\r\ncontent-length: 2\r\n\r\n{}",
            b"HTTP/1.1 100 Continue\r\n\r\n",
            b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n",
            b"",
        ] {
            assert_eq!(written(kept).await, kept);
        }
    }

    #[tokio::test]
    async fn a_peer_that_reads_slowly_gets_all_of_it() {
        let (near, mut far) = tokio::io::duplex(3);
        let refusing: Refusing = Arc::new(|_| b"0123456789".to_vec());
        let mut stream = Telling::new(near, Some(refusing));
        let told = tokio::spawn(async move { stream.write_all(HYPERS).await });
        let mut read = Vec::new();
        tokio::io::AsyncReadExt::read_to_end(&mut far, &mut read)
            .await
            .unwrap();
        told.await.unwrap().unwrap();
        assert_eq!(read, b"0123456789");
    }
}
