//! `tests/config/NAME.toml` is loaded (with the variables of `NAME.env`, where there is one) and its
//! problems are compared with `NAME.problems`. `BLESS=1` writes those files anew: read the difference.

use super::*;

#[test]
fn problems_are_those_of_the_golden_files() {
    let mut different = Vec::new();
    let cases = files("toml");
    assert!(cases.len() >= 10, "the golden files are not where they should be");
    for case in &cases {
        let expected = case.with_extension("problems");
        let told = told(case);
        if std::env::var_os("BLESS").is_some() {
            fs::write(&expected, &told).unwrap();
        } else if fs::read_to_string(&expected).unwrap_or_default() != told {
            different.push(format!("{}:\n{told}", expected.display()));
        }
    }
    assert!(different.is_empty(), "BLESS=1 accepts these:\n\n{}", different.join("\n"));
    let left: Vec<_> =
        files("problems").into_iter().filter(|file| !file.with_extension("toml").exists()).collect();
    assert!(left.is_empty(), "without a case: {left:?}");
}

fn files(extension: &str) -> Vec<PathBuf> {
    let files = fs::read_dir(folder()).unwrap().map(|file| file.unwrap().path());
    let mut files: Vec<_> =
        files.filter(|file| file.extension().is_some_and(|own| own == extension)).collect();
    files.sort();
    files
}

/// All problems of a file as a person sees them, without the folder.
fn told(file: &Path) -> String {
    let env = fs::read_to_string(file.with_extension("env")).unwrap_or_default();
    let env = env.lines().map(|line| line.split_once('=').unwrap());
    let env = env.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    let problems = match load(&Source { kind: Kind::File(file.to_owned()), env }) {
        Ok(loaded) => loaded.warnings,
        Err(problems) => problems,
    };
    let lines: Vec<String> = problems.iter().map(Problem::to_string).collect();
    let text = lines.iter().fold(String::new(), |text, line| text + line + "\n");
    text.replace(&format!("{}/", folder().display()), "")
}
