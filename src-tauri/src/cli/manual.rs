//! `paddock manual`: the manual pages and the shell completions, written by the program that they describe.
//!
//! Outside: where they are installed (`src-tauri/packaging`). Hidden, because it is for whoever packs Paddock.

use std::{io, path::PathBuf};

use clap::{Args, CommandFactory, ValueEnum};
use clap_complete::{Shell, generate_to};

use super::{Arguments, Stop};
use crate::error::CommandError;

#[derive(Debug, Args)]
pub struct Manual {
    /// Folder that gets `paddock.1`, a page for every command, and a completion script for every shell.
    folder: PathBuf,
}

impl Manual {
    /// # Errors
    /// If the folder cannot be made or written to.
    pub fn run(&self) -> Result<(), Stop> {
        self.write().map_err(|error| {
            Stop::Failed(CommandError::new(
                "manual_not_written",
                format!(
                    "The manual could not be written to {}: {error}.",
                    self.folder.display()
                ),
                "Name a folder that you may write to.",
            ))
        })
    }

    fn write(&self) -> io::Result<()> {
        std::fs::create_dir_all(&self.folder)?;
        clap_mangen::generate_to(Arguments::command(), &self.folder)?;
        for shell in Shell::value_variants() {
            generate_to(*shell, &mut Arguments::command(), "paddock", &self.folder)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_that_help_names_has_a_page_and_is_completed() {
        let folder = tempfile::tempdir().unwrap();
        let manual = Manual {
            folder: folder.path().join("new/manual"),
        };
        assert!(manual.run().is_ok());
        let read = |name: &str| std::fs::read_to_string(manual.folder.join(name)).unwrap();
        let top = read("paddock.1");
        for command in Arguments::command().get_subcommands() {
            let name = command.get_name();
            let page = manual.folder.join(format!("paddock-{name}.1"));
            assert_eq!(page.exists(), !command.is_hide_set(), "{}", page.display());
            if !command.is_hide_set() {
                assert!(
                    top.contains(&format!("paddock\\-{name}(1)")),
                    "{name} is missing:\n{top}"
                );
                for script in ["paddock.bash", "_paddock", "paddock.fish"] {
                    assert!(read(script).contains(name), "{name} is missing in {script}");
                }
            }
        }
    }

    #[test]
    fn a_folder_that_cannot_be_made_is_said_in_a_sentence() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let manual = Manual {
            folder: file.path().join("inside"),
        };
        let Err(Stop::Failed(error)) = manual.run() else {
            panic!("a file is no folder")
        };
        assert!(
            error.message.contains("could not be written"),
            "{}",
            error.message
        );
    }
}
