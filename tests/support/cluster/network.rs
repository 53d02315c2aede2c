//! Machines of a test's own: a network namespace each, one network to clients and one between them, which can be
//! cut and healed.
//!
//! Names and addresses hold a number that no other network of this machine has; all of it is gone when dropped.

use std::net::Ipv4Addr;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

/// Numbers that fit into addresses.
const NUMBERS: u32 = 6_000;

/// Which of a machine's two networks.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Side {
    Clients,
    Routes,
}

/// Machines that run; the test itself is on the clients' network.
pub struct Network {
    number: u32,
    machines: u8,
}

impl Network {
    /// Makes so many machines, all of them connected; says so, and returns none, where that is not permitted.
    pub fn make(machines: u8) -> Option<Self> {
        static GIVEN: AtomicU32 = AtomicU32::new(0);
        let mut last = String::new();
        for _ in 0..16 {
            let given = GIVEN.fetch_add(1, Ordering::Relaxed);
            let number = (std::process::id().wrapping_mul(97) + given) % NUMBERS;
            // Held first: whatever was made is gone again if the rest cannot be.
            let network = Self { number, machines };
            match network.build() {
                Ok(()) => return Some(network),
                Err(error) => last = error,
            }
            // Another test has this number.
            if !last.contains("File exists") {
                break;
            }
        }
        println!("SKIPPED: network namespaces can be made only by root and with iproute2: {last}");
        None
    }

    fn build(&self) -> Result<(), String> {
        for side in [Side::Clients, Side::Routes] {
            let bridge = self.bridge(side);
            ip(&format!("link add {bridge} type bridge"))?;
            ip(&format!("link set {bridge} up"))?;
        }
        let host = self.address(Side::Clients, 254);
        ip(&format!("addr add {host}/24 dev {}", self.bridge(Side::Clients)))?;
        (1..=self.machines).try_for_each(|machine| self.build_machine(machine))
    }

    fn build_machine(&self, machine: u8) -> Result<(), String> {
        let space = self.space(machine);
        ip(&format!("netns add {space}"))?;
        ip(&format!("-n {space} link set lo up"))?;
        for (side, inside) in [(Side::Clients, "eth0"), (Side::Routes, "eth1")] {
            let (plug, bridge) = (self.plug(side, machine), self.bridge(side));
            let address = self.address(side, machine);
            ip(&format!("link add {plug} type veth peer name {inside} netns {space}"))?;
            ip(&format!("link set {plug} master {bridge} up"))?;
            ip(&format!("-n {space} addr add {address}/24 dev {inside}"))?;
            ip(&format!("-n {space} link set {inside} up"))?;
        }
        Ok(())
    }

    /// Returns a program that is to run on a machine, counted from 1.
    pub fn command(&self, machine: u8, program: &std::path::Path) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.space(machine)]).arg(program);
        command
    }

    pub fn client_address(&self, machine: u8) -> Ipv4Addr {
        self.address(Side::Clients, machine)
    }

    pub fn route_address(&self, machine: u8) -> Ipv4Addr {
        self.address(Side::Routes, machine)
    }

    /// Has a machine reach no other and still be reached by clients.
    pub fn cut_from_others(&self, machine: u8) {
        self.set(Side::Routes, machine, "down");
    }

    /// Has nobody reach a machine.
    pub fn cut_from_all(&self, machine: u8) {
        self.set(Side::Routes, machine, "down");
        self.set(Side::Clients, machine, "down");
    }

    /// Has a machine reach and be reached again.
    pub fn heal(&self, machine: u8) {
        self.set(Side::Routes, machine, "up");
        self.set(Side::Clients, machine, "up");
    }

    fn set(&self, side: Side, machine: u8, state: &str) {
        let plug = self.plug(side, machine);
        ip(&format!("link set {plug} {state}")).expect("a link that was made can be set");
    }

    fn address(&self, side: Side, machine: u8) -> Ipv4Addr {
        let [second, third] = [self.number / 100, self.number % 100].map(|part| part as u8);
        let third = 2 * third + u8::from(side == Side::Routes);
        Ipv4Addr::new(10, 190 + second, third, machine)
    }

    fn bridge(&self, side: Side) -> String {
        format!("wb{}{}", side.letter(), self.number)
    }

    fn plug(&self, side: Side, machine: u8) -> String {
        format!("wv{}{}-{machine}", side.letter(), self.number)
    }

    fn space(&self, machine: u8) -> String {
        format!("weir-{}-{machine}", self.number)
    }
}

impl Side {
    fn letter(self) -> char {
        match self {
            Self::Clients => 'c',
            Self::Routes => 'r',
        }
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        for side in [Side::Clients, Side::Routes] {
            for machine in 1..=self.machines {
                ip(&format!("link del {}", self.plug(side, machine))).ok();
            }
            ip(&format!("link del {}", self.bridge(side))).ok();
        }
        for machine in 1..=self.machines {
            ip(&format!("netns del {}", self.space(machine))).ok();
        }
    }
}

fn ip(line: &str) -> Result<(), String> {
    let done = Command::new("ip").args(line.split(' ')).output();
    let done = done.map_err(|error| format!("ip cannot be run: {error}"))?;
    if done.status.success() {
        return Ok(());
    }
    Err(format!("ip {line}: {}", String::from_utf8_lossy(&done.stderr).trim()))
}
