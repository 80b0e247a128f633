//! Compiles the C library from its sources, listed in src/sources.txt, without other crates.
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

fn run(command: &mut Command) {
    let status = command.status().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(status.success(), "{command:?} failed");
}

fn main() {
    let root = PathBuf::from(env::var("CARGO_MANIFEST_DIR").unwrap()).join("dropwise");
    let out = PathBuf::from(env::var("OUT_DIR").unwrap());
    let machine = env::var("CARGO_CFG_TARGET_ARCH").unwrap();
    let list = fs::read_to_string(root.join("src/sources.txt")).expect("dropwise/src/sources.txt");
    let fits = |name: &str| name == machine || name == "any";

    let (mut sources, mut have, mut cpu) = (Vec::new(), Vec::new(), None);
    for line in list.lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        match words[..] {
            ["part", _, source, ..] => sources.push((source, Vec::new())),
            ["cpu", name, source] if fits(name) => cpu = cpu.or(Some(source)),
            ["tier", "rvv", ..] => {} // needs Clang 19
            ["tier", name, machine, source, ref flags @ ..] if fits(machine) => {
                have.push(format!("-DDROPWISE_HAVE_{}", name.to_uppercase()));
                sources.push((source, flags.to_vec()));
            }
            ["ars", name, machine, _, source, ref flags @ ..] if fits(machine) => {
                have.push(format!("-DDROPWISE_HAVE_ARS_{}", name.to_uppercase()));
                sources.push((source, flags.to_vec()));
            }
            _ => {}
        }
    }
    sources.push((cpu.unwrap(), Vec::new()));

    let compiler = env::var("CC").unwrap_or_else(|_| "cc".into());
    let mut objects = Vec::new();
    for (i, (source, flags)) in sources.iter().enumerate() {
        let object = out.join(format!("{i}.o"));
        run(Command::new(&compiler)
            .args(["-c", "-O2", "-std=c11", "-fPIC", "-ffp-contract=off", "-fno-math-errno"])
            .args(["-DDROPWISE_STATIC", "-fvisibility=hidden"])
            .args(&have)
            .args(flags)
            .arg("-I").arg(root.join("include"))
            .arg("-I").arg(root.join("src"))
            .arg(root.join("src").join(source))
            .arg("-o").arg(&object));
        objects.push(object);
    }
    let library: &Path = &out.join("libdropwise.a");
    let _ = fs::remove_file(library);
    run(Command::new("ar").arg("rcs").arg(library).args(&objects));
    println!("cargo:rustc-link-search=native={}", out.display());
    println!("cargo:rustc-link-lib=static=dropwise");
    println!("cargo:rerun-if-changed=dropwise/src");
    println!("cargo:rerun-if-changed=dropwise/include");
}
