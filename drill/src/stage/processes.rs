//! Core and sidecar as processes of a stage.

use crate::setup::ports::free_port;
use crate::setup::{ChildProcess, ProgramSpec};
use crate::stage::settings::{self, StagePorts};
use crate::stage::{DrillStage, START_TIMEOUT};
use std::path::Path;

impl DrillStage {
    pub async fn start_core(&mut self) -> anyhow::Result<()> {
        std::fs::write(self.dir.join("operator.toml"), settings::operator(self))?;
        let core = self.spawn_core("core", self.ports).await?;
        self.core = Some(core);
        Ok(())
    }

    /// One more core on the same database, on ports of its own.
    /// Its callbacks' port is another one too, whether chosen or not.
    pub async fn spawn_core(
        &self,
        name: &str,
        mut ports: StagePorts,
    ) -> anyhow::Result<ChildProcess> {
        if ports.core != self.ports.core && ports.callbacks == self.ports.callbacks {
            ports.callbacks = free_port()?;
        }
        let path = self.dir.join(format!("{name}.toml"));
        std::fs::write(&path, settings::core(self, name, ports))?;
        let mut core = self.spawn("sluice-core", name, &path)?;
        core.wait_ready(&ports.address(ports.core_admin), START_TIMEOUT)
            .await?;
        Ok(core)
    }

    pub async fn start_sidecar(&mut self) -> anyhow::Result<()> {
        let path = self.dir.join("sidecar.toml");
        std::fs::write(&path, settings::sidecar(self))?;
        let (sidecar, address) = (
            self.spawn("sluice-sidecar", "sidecar", &path)?,
            self.ports.address(self.ports.sidecar),
        );
        // Kept even if it is not ready in time: its first look at a large ledger is long.
        self.sidecar
            .insert(sidecar)
            .wait_ready(&address, START_TIMEOUT)
            .await
    }

    fn spawn(&self, binary: &str, name: &str, settings: &Path) -> anyhow::Result<ChildProcess> {
        let mut program =
            ProgramSpec::own(binary, &self.dir.join(format!("{name}.log")))?.arg(settings);
        for (variable, value) in &self.options.env {
            program = program.env(variable, value);
        }
        ChildProcess::spawn(program)
    }
}
