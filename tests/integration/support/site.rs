//! A folder with a `gateway.toml` and what it names, and the binary that is run there.

use std::path::PathBuf;
use std::process::Stdio;

use tempfile::TempDir;
use tokio::process::Command;
use tokio::time::timeout;

use super::gateway::Gateway;
use super::upstream::PATIENCE;

/// A folder of files; it goes with its owner.
#[derive(Debug)]
pub struct Site {
    folder: TempDir,
}

/// What a run of the binary left behind.
#[derive(Debug)]
pub struct Ran {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl Site {
    /// A folder with a configuration.
    pub fn new(config: &str) -> Self {
        let site = Self { folder: TempDir::new().unwrap() };
        site.file("gateway.toml", config)
    }

    /// A configuration for the sample services at a port of this machine; `more` follows their table.
    pub fn samples(port: u16, more: &str) -> Self {
        let protos = concat!(env!("CARGO_MANIFEST_DIR"), "/proto");
        Self::new(&format!(
            "[[schema]]\nprotos = [\"{protos}/transom/demo/v1/*.proto\"]\ninclude = [\"{protos}\"]\n\n[upstreams.demo]\nendpoints = [\"http://127.0.0.1:{port}\"]\n{more}\n"
        ))
    }

    /// Adds a file.
    pub fn file(self, name: &str, content: impl AsRef<[u8]>) -> Self {
        self.write(name, content);
        self
    }

    /// Writes a file as an editor does: it is never seen half.
    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        let (path, draft) = (self.path(name), self.path(&format!("{name}.draft")));
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&draft, content).unwrap();
        std::fs::rename(draft, path).unwrap();
    }

    /// The path of a file.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The binary with arguments, in this folder, with nothing of our own environment.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_transom"));
        command
            .args(arguments)
            .current_dir(self.folder.path())
            .env_clear()
            .envs(std::env::var_os("LLVM_PROFILE_FILE").map(|file| ("LLVM_PROFILE_FILE", file)))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        command
    }

    /// Runs the binary to its end.
    pub async fn run(&self, arguments: &[&str]) -> Ran {
        let running = self.command(arguments).output();
        let output = timeout(2 * PATIENCE, running).await.expect("the command ends").unwrap();
        let ran = Ran {
            code: output.status.code(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        };
        assert!(!ran.stderr.contains("panicked"), "{}", ran.stderr);
        ran
    }

    /// Starts a gateway that serves this folder on free ports.
    pub async fn serve(self) -> Gateway {
        Gateway::start(self).await
    }
}
