use super::*;

#[test]
fn heads_by_table() {
    let read = |text: &str| parse_head(text.as_bytes()).map_err(|e| e.to_string());
    let ok = |text: &str| read(text).unwrap().map(|h| (h.status, h.body, h.close));
    assert_eq!(
        ok("HTTP/1.1 202 Accepted\r\nContent-Length: 5\r\n\r\nhello"),
        Some((202, 5, false))
    );
    assert_eq!(
        ok("HTTP/1.1 200 OK\r\ncontent-length:0\r\nconnection: close\r\n\r\n"),
        Some((200, 0, true))
    );
    assert_eq!(ok("HTTP/1.1 204 No Content\r\n\r\n"), Some((204, 0, false)));
    assert_eq!(ok("HTTP/1.1 200 OK\r\ncontent-le"), None);
    for wrong in [
        "HTTP/2 200\r\n\r\n",
        "HTTP/1.1 200 OK\r\n\r\n",
        "HTTP/1.1 200 OK\r\ncontent-length: -1\r\n\r\n",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n",
        "HTTP/1.1 200 OK\r\ncontent-length: 99999999999\r\n\r\n",
    ] {
        assert!(read(wrong).is_err(), "{wrong}");
    }
}
