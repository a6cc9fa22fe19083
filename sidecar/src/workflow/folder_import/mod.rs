//! Import of the rules' folder: an edit becomes a candidate beside the armed version.

mod import;
mod library_copy;
pub mod repo;
mod rule_folder;

pub use import::{FolderImport, import};
pub use library_copy::own_lines;
pub use rule_folder::{RuleFolder, first};
