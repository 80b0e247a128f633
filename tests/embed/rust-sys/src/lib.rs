//! The declarations that a program needs for masks of ranges, as bindgen would make them of dropwise.h.
#![allow(non_camel_case_types)]
use std::os::raw::{c_char, c_void};

pub const DROPWISE_OK: i32 = 0;

#[repr(C)]
#[derive(Clone, Copy)]
pub struct dropwise_mask {
    pub struct_size: u32,
    pub generator: u32,
    pub seed: u64,
    pub stream: u64,
    pub keep_threshold: u64,
    pub scaling: u32,
    pub flags: u32,
    pub reserved: [u32; 6],
}

extern "C" {
    pub fn dropwise_mask_init(mask: *mut dropwise_mask, p: f64, seed: u64, stream: u64) -> i32;
    pub fn dropwise_forward_f32(
        mask: *const dropwise_mask, first: u64, n: usize, x: *const f32, y: *mut f32, bits: *mut c_void,
    ) -> i32;
    pub fn dropwise_isa_active() -> i32;
    pub fn dropwise_isa_name(isa: i32) -> *const c_char;
}
