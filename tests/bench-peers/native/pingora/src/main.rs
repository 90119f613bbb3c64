//! `peer-pingora PORT BACKEND WEB WEB_BACKEND`: bytes from the first port to the second, WebSocket from the third to the fourth.
//! One thread, no work stealing.

use async_trait::async_trait;
use pingora::apps::ServerApp;
use pingora::connectors::TransportConnector;
use pingora::prelude::{HttpPeer, ProxyHttp, Result, Server, Session, http_proxy_service};
use pingora::protocols::Stream;
use pingora::server::ShutdownWatch;
use pingora::server::configuration::ServerConf;
use pingora::services::listening::Service;
use pingora::upstreams::peer::BasicPeer;
use std::sync::Arc;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// What one read takes.
const BUFFER: usize = 64 * 1024;

struct Bytes {
    connector: TransportConnector,
    to: BasicPeer,
}

#[async_trait]
impl ServerApp for Bytes {
    async fn process_new(self: &Arc<Self>, mut client: Stream, _: &ShutdownWatch) -> Option<Stream> {
        let mut service = self.connector.new_stream(&self.to).await.ok()?;
        let (mut up, mut down) = (vec![0; BUFFER], vec![0; BUFFER]);
        loop {
            tokio::select! {
                read = client.read(&mut up) => {
                    let length = read.ok().filter(|length| *length > 0)?;
                    service.write_all(&up[..length]).await.ok()?;
                    service.flush().await.ok()?;
                }
                read = service.read(&mut down) => {
                    let length = read.ok().filter(|length| *length > 0)?;
                    client.write_all(&down[..length]).await.ok()?;
                    client.flush().await.ok()?;
                }
            }
        }
    }
}

struct Web(String);

#[async_trait]
impl ProxyHttp for Web {
    type CTX = ();
    fn new_ctx(&self) {}

    async fn upstream_peer(&self, _: &mut Session, (): &mut ()) -> Result<Box<HttpPeer>> {
        Ok(Box::new(HttpPeer::new(self.0.as_str(), false, String::new())))
    }
}

fn main() {
    let ports: Vec<String> = std::env::args().skip(1).map(|port| format!("127.0.0.1:{port}")).collect();
    let [bytes, backend, web, web_backend] = ports.as_slice() else {
        panic!("peer-pingora PORT BACKEND WEB WEB_BACKEND");
    };
    let conf = ServerConf { threads: 1, work_stealing: false, ..ServerConf::default() };
    let mut server = Server::new_with_opt_and_conf(None, conf);
    server.bootstrap();
    let mut opaque = Service::new(
        "bytes".to_owned(),
        Bytes { connector: TransportConnector::new(None), to: BasicPeer::new(backend) },
    );
    opaque.add_tcp(bytes);
    let mut proxy = http_proxy_service(&server.configuration, Web(web_backend.clone()));
    proxy.add_tcp(web);
    server.add_service(opaque);
    server.add_service(proxy);
    server.run_forever();
}
