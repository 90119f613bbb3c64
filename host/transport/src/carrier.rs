//! Byte streams that know how the way to their peer is.

use crate::resume::Mooring;
use std::os::fd::AsRawFd;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::server::TlsStream;
use weir_core::Path;

/// What a session's bytes come over.
pub(crate) trait Carrier: AsyncRead + AsyncWrite + Unpin {
    /// What the kernel has measured; `None`: it does not say.
    fn path(&self) -> Option<Path>;
}

impl Carrier for TcpStream {
    fn path(&self) -> Option<Path> {
        let info = tcp_info(self)?;
        Some(Path { round_trip: info.tcpi_rtt, sent: info.tcpi_segs_out, lost: info.tcpi_total_retrans })
    }
}

impl Carrier for TlsStream<Mooring> {
    fn path(&self) -> Option<Path> {
        self.get_ref().0.stream()?.path()
    }
}

/// tcp(7), `TCP_INFO`.
#[expect(unsafe_code, reason = "no library asks for it; see the safety comment")]
fn tcp_info(stream: &TcpStream) -> Option<libc::tcp_info> {
    let size = size_of::<libc::tcp_info>();
    let mut info = std::mem::MaybeUninit::<libc::tcp_info>::zeroed();
    let mut length = libc::socklen_t::try_from(size).ok()?;
    // SAFETY: the descriptor is open while `stream` is borrowed; the kernel writes at most `length` bytes, which is the size of
    // what `info` has room for.
    let failed = unsafe {
        libc::getsockopt(
            stream.as_raw_fd(),
            libc::IPPROTO_TCP,
            libc::TCP_INFO,
            info.as_mut_ptr().cast(),
            &raw mut length,
        )
    };
    // SAFETY: the structure has integers only, for which zeroes are a value: it is initialised however much the kernel wrote.
    (failed == 0).then(|| unsafe { info.assume_init() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    #[tokio::test]
    async fn the_kernel_says_how_a_connection_is() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (mut server, _) = listener.accept().await.unwrap();
        client.write_all(b"x").await.unwrap();
        server.read_u8().await.unwrap();
        let path = client.path().unwrap();
        assert!(path.round_trip > 0 && path.round_trip < 1_000_000, "{path:?}");
        assert!(path.sent >= 2, "{path:?}");
    }
}
