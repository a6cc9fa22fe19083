//! Results of cases in JUnit's format, which every CI reads.

use sluice_sidecar::rules::RuleCaseResult;
use std::fmt::Write;

/// One suite a rule, one test a case.
pub fn write(results: &[RuleCaseResult]) -> String {
    let failed = |results: &[&RuleCaseResult]| results.iter().filter(|r| !r.passed).count();
    let all: Vec<&RuleCaseResult> = results.iter().collect();
    let mut xml = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    // Writing into a String can't fail.
    let _ = writeln!(
        xml,
        "<testsuites name=\"rules\" tests=\"{}\" failures=\"{}\">",
        all.len(),
        failed(&all)
    );
    for suite in all.chunk_by(|a, b| a.rule == b.rule) {
        let rule = suite.first().map(|r| escaped(&r.rule)).unwrap_or_default();
        let (tests, failures) = (suite.len(), failed(suite));
        let _ = writeln!(
            xml,
            "  <testsuite name=\"{rule}\" tests=\"{tests}\" failures=\"{failures}\">"
        );
        for result in suite {
            let case = escaped(&result.case);
            let _ = match result.passed {
                true => writeln!(xml, "    <testcase classname=\"{rule}\" name=\"{case}\"/>"),
                false => writeln!(
                    xml,
                    "    <testcase classname=\"{rule}\" name=\"{case}\"><failure message=\"{}\"/></testcase>",
                    escaped(&result.detail)
                ),
            };
        }
        xml.push_str("  </testsuite>\n");
    }
    xml.push_str("</testsuites>\n");
    xml
}

/// Characters that XML does not allow become question marks.
fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\n' => safe.push_str("&#10;"),
            c if c.is_control() => safe.push('?'),
            c => safe.push(c),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn suites_and_failures() {
        let result = |rule: &str, case: &str, detail: &str| RuleCaseResult {
            rule: rule.to_owned(),
            case: case.to_owned(),
            passed: detail.is_empty(),
            detail: detail.to_owned(),
        };
        let xml = write(&[
            result("a", "one", ""),
            result("a", "<two>", "1 < 2 & \"3\"\n\u{1}"),
            result("b", "three", ""),
        ]);
        for part in [
            "tests=\"3\" failures=\"1\"",
            "<testsuite name=\"a\" tests=\"2\" failures=\"1\">",
            "<testcase classname=\"a\" name=\"&lt;two&gt;\"><failure message=\"1 &lt; 2 &amp; &quot;3&quot;&#10;?\"/>",
            "<testsuite name=\"b\" tests=\"1\" failures=\"0\">",
        ] {
            assert!(xml.contains(part), "{part} in {xml}");
        }
    }
}
