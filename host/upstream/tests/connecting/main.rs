//! Connections over real sockets to servers in the same process: some answer, some refuse, some lie, some say nothing.

mod choosing;
mod servers;
mod tcp;
mod tls;
mod websocket;
