#![allow(clippy::print_stdout)]
use sluice_contract::settings::Secret;
use sluice_contract::signing::*;
use sluice_drill::load::*;
use sluice_drill::load::request::Target;
use std::io::Write;
use std::time::Duration;
fn cpu(pid: u32) -> u64 { let s = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap(); let v: Vec<&str> = s.rsplit(')').next().unwrap().split_whitespace().collect(); v[11].parse::<u64>().unwrap()+v[12].parse::<u64>().unwrap() }
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn speed() {
    let dir = tempfile::tempdir().unwrap();
    let secrets_dir = sluice_drill::setup::secrets::create(dir.path()).unwrap();
    let address = format!("127.0.0.1:{}", sluice_drill::setup::ports::free_port().unwrap());
    let config = dir.path().join("c.toml");
    // callbacks to a sink in this process
    let l = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let sink = l.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(l, axum::Router::new().route("/withdraw/notify/{c}", axum::routing::post(|| async {"ok"}))).await });
    std::fs::write(&config, format!("listen='{address}'\nsecrets_dir='{}'\nbook_file='{}'\ncallback_url='http://{sink}'\n", secrets_dir.display(), dir.path().join("b").display())).unwrap();
    let p = sluice_drill::setup::Program::at(env!("CARGO_BIN_EXE_sluice").into(), "c", &dir.path().join("log")).arg("channel").arg("--config").arg(&config);
    let mut p = sluice_drill::setup::Process::spawn(p).unwrap();
    p.wait_ready(&address, Duration::from_secs(10)).await.unwrap();
    for ch in ["netsunion", "unionpay"] {
        let secret = Secret::load(&format!("channel_{ch}"), Some(&secrets_dir)).unwrap();
        let me = std::process::id();
        let (c0, g0) = (cpu(p.pid()), cpu(me));
        let n = 100_000u64;
        let r = closed(Closed{address: address.clone(), connections: 32, until: Until::Count(n), deadline: Duration::from_secs(10)}, move |k, out| {
            let body = format!(r#"{{"serialNo":"S{k:031}","tradeTime":"20261121183000","toAccount":"a{k}","amount":"1.01","currency":"CNY"}}"#);
            let now = sluice_contract::clock::now_us()/1_000_000;
            let s = sign(&secret, now, body.as_bytes());
            let _ = write!(out, "POST /{ch}/pay HTTP/1.1\r\nhost: x\r\n{SIGNATURE_HEADER}: {s}\r\n{TIMESTAMP_HEADER}: {now}\r\ncontent-length: {}\r\n\r\n{body}", body.len());
        }, |_,_,_|{}).await.unwrap();
        loop { let (_, b) = http::get(&address, "/ready").await.unwrap(); let b = String::from_utf8(b).unwrap(); if b.contains("\"callbacks_open\":0") { println!("{b}"); break; } tokio::time::sleep(Duration::from_millis(50)).await; }
        println!("{ch}: {r}; simulator cpu {} us/req, generator(+sink) cpu {} us/req", (cpu(p.pid())-c0)*10_000/n, (cpu(me)-g0)*10_000/n);
    }
    // open-loop on /live
    for rate in [500, 2000, 5000] {
        let t = Target::new(&address);
        let (c0, g0) = (cpu(p.pid()), cpu(std::process::id()));
        let r = open(Open{address: address.clone(), rate, duration: Duration::from_secs(4), connections: 64, deadline: Duration::from_secs(5)}, move |_, out| t.get(out, "/live"), |_,_,_|{}).await.unwrap();
        let n = r.answered();
        println!("open {rate}: {r}; lag p50 {} p99 {}; server {} us/req gen {} us/req", r.send_lag.value_at_quantile(0.5), r.send_lag.value_at_quantile(0.99), (cpu(p.pid())-c0)*10_000/n, (cpu(std::process::id())-g0)*10_000/n);
    }
}
