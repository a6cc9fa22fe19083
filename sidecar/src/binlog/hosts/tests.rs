use super::*;

#[test]
fn hosts_by_table() {
    let cases = [
        ("mysql://u:p@h:3306", "mysql://u:p@h:3306"),
        (
            "mysql://u:p@h:1,i:2/x?a=b",
            "mysql://u:p@h:1/x?a=b mysql://u:p@i:2/x?a=b",
        ),
        (
            "mysql://h, i?tls_ca=/f,g",
            "mysql://h?tls_ca=/f,g mysql://i?tls_ca=/f,g",
        ),
        ("nonsense", "nonsense"),
    ];
    for (url, want) in cases {
        assert_eq!(each_host(url).join(" "), want, "{url}");
    }
    let many = format!("mysql://{}", ["h"; 9].join(","));
    assert!(ServerHosts::new("mysql.url", &many, 1).is_err());
    let hosts = ServerHosts::new(
        "mysql.url",
        "mysql://u:p@h:1,i:2/?plaintext_beyond_loopback=true",
        1,
    )
    .unwrap();
    assert_eq!((hosts.name(), hosts.several()), ("h:1", true));
}
