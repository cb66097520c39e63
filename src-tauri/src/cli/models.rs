//! (being written)
use crate::{cli::Stop, places::Places};
#[derive(Debug, clap::Args)]
pub struct Models {
    #[arg(long)]
    pub json: bool,
}
impl Models {
    pub async fn run(self, _places: &Places) -> Result<(), Stop> {
        Ok(())
    }
}
