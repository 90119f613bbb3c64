//! Datagrams one by one.
#![expect(unsafe_code, reason = "no safe interface of our dependencies has this socket option")]

use std::io;
use std::net::UdpSocket;
use std::os::fd::AsRawFd;

/// Turns off that the kernel hands over datagrams of one sender as one (udp(7), `UDP_GRO`), which quinn turns on.
///
/// quinn keeps such datagrams in one piece of memory: a single byte of a stream that waits for what is in front of it would hold up to
/// 64 of them, and windows would bound a sixtieth of what they seem to.
pub(super) fn one_by_one(socket: &UdpSocket) -> io::Result<()> {
    let off: libc::c_int = 0;
    // SAFETY: the descriptor is open for as long as `socket` is borrowed, and the option's value is an integer of which the length is
    // given.
    let outcome = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::SOL_UDP,
            libc::UDP_GRO,
            (&raw const off).cast(),
            size_of_val(&off) as libc::socklen_t,
        )
    };
    if outcome == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}
