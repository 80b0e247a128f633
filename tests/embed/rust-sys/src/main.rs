use dropwise_sys::*;
use std::ffi::CStr;
use std::mem::{size_of, MaybeUninit};

fn main() {
    assert_eq!(size_of::<dropwise_mask>(), 64);
    let (x, mut y) = ([1.0f32; 32], [0.0f32; 32]);
    let mut mask = MaybeUninit::uninit();
    unsafe {
        assert_eq!(dropwise_mask_init(mask.as_mut_ptr(), 0.25, 42, 7), DROPWISE_OK);
        let mask = mask.assume_init();
        let status = dropwise_forward_f32(&mask, 0, 32, x.as_ptr(), y.as_mut_ptr(), std::ptr::null_mut());
        assert_eq!(status, DROPWISE_OK);
        eprintln!("{}", CStr::from_ptr(dropwise_isa_name(dropwise_isa_active())).to_str().unwrap());
    }
    println!("{}", y.iter().map(|&v| if v != 0.0 { '1' } else { '0' }).collect::<String>());
}
