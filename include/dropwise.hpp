/*
 * dropwise for C++11 and later: a thin layer over dropwise.h, in this header alone.
 *
 *     dropwise::mask mask(0.1, seed, stream);
 *     mask.forward(x, y);                      // std::vector, std::array, arrays, std::span, ...
 *     mask.backward(dy, dx);
 *     mask.forward(dropwise::view({n, c, h, w}).share({2, 3}), x.data(), y.data());
 *
 * A status other than DROPWISE_OK becomes an exception, dropwise::error, and then nothing was written. Where
 * exceptions are not wanted, the C functions are the interface. Contracts are those of dropwise.h.
 */
#ifndef DROPWISE_HPP
#define DROPWISE_HPP

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <stdexcept>
#include <type_traits>
#include <vector>

#include <dropwise.h>

namespace dropwise {

/* What a C function refused, and why. */
class error : public std::invalid_argument {
public:
    explicit error(dropwise_status status)
        : std::invalid_argument(dropwise_status_string(status)), status_(status)
    {
    }

    dropwise_status status() const noexcept
    {
        return status_;
    }

private:
    dropwise_status status_;
};

inline void check(dropwise_status status)
{
    if (status != DROPWISE_OK)
        throw error(status);
}

/* Element types that C++ has no name for, by their bits. */
struct f16 {
    std::uint16_t bits;
};
struct bf16 {
    std::uint16_t bits;
};
struct f8_e4m3 {
    std::uint8_t bits;
};
struct f8_e5m2 {
    std::uint8_t bits;
};

/* The number of an element type; specialise it for a type of your own with the same representation. */
template <class T> struct dtype_of;
template <> struct dtype_of<float> : std::integral_constant<dropwise_dtype, DROPWISE_F32> {
};
template <> struct dtype_of<double> : std::integral_constant<dropwise_dtype, DROPWISE_F64> {
};
template <> struct dtype_of<f16> : std::integral_constant<dropwise_dtype, DROPWISE_F16> {
};
template <> struct dtype_of<bf16> : std::integral_constant<dropwise_dtype, DROPWISE_BF16> {
};
template <> struct dtype_of<f8_e4m3> : std::integral_constant<dropwise_dtype, DROPWISE_F8_E4M3> {
};
template <> struct dtype_of<f8_e5m2> : std::integral_constant<dropwise_dtype, DROPWISE_F8_E5M2> {
};

/* Contiguous elements, of an array or of anything with data() and size(). */
template <class T> struct span {
    T *data;
    std::size_t size;
};

template <class C>
auto span_of(C &container) -> span<typename std::remove_reference<decltype(*container.data())>::type>
{
    return {container.data(), container.size()};
}

template <class T, std::size_t N> span<T> span_of(T (&array)[N])
{
    return {array, N};
}

/* A dropwise_view, built step by step. */
class view {
public:
    explicit view(const std::vector<std::uint64_t> &size)
    {
        check(dropwise_view_init(&view_, static_cast<std::uint32_t>(size.size()), size.data()));
    }

    view &share(std::initializer_list<unsigned> dimensions)
    {
        std::uint32_t set = 0;
        for (unsigned d : dimensions) {
            if (d >= DROPWISE_MAX_RANK)
                throw error(DROPWISE_ERROR_SHAPE);
            set |= std::uint32_t(1) << d;
        }
        check(dropwise_view_share(&view_, set));
        return *this;
    }

    view &noise_shape(const std::vector<std::uint64_t> &shape)
    {
        if (shape.size() != view_.rank)
            throw error(DROPWISE_ERROR_SHAPE);
        check(dropwise_view_noise_shape(&view_, shape.data()));
        return *this;
    }

    view &shard(const std::vector<std::uint64_t> &start, const std::vector<std::uint64_t> &size)
    {
        if (start.size() != view_.rank || size.size() != view_.rank)
            throw error(DROPWISE_ERROR_SHAPE);
        check(dropwise_view_shard(&view_, start.data(), size.data()));
        return *this;
    }

    view &pack()
    {
        check(dropwise_view_pack(&view_));
        return *this;
    }

    /* The C struct, to read and to change. */
    dropwise_view *get() noexcept
    {
        return &view_;
    }

    const dropwise_view *get() const noexcept
    {
        return &view_;
    }

private:
    dropwise_view view_;
};

/* A dropwise_mask. Elements are [first, first + size) of the tensor. */
class mask {
public:
    mask(double p, std::uint64_t seed, std::uint64_t stream = 0)
    {
        check(dropwise_mask_init(&mask_, p, seed, stream));
    }

    dropwise_mask *get() noexcept
    {
        return &mask_;
    }

    const dropwise_mask *get() const noexcept
    {
        return &mask_;
    }

    /* y = dropout(x), of the same size. */
    template <class X, class Y> void forward(const X &x, Y &&y, std::uint64_t first = 0) const
    {
        apply(dropwise_forward, x, y, first, static_cast<void *>(nullptr));
    }

    /* dx = dropout(dy) by the same mask, drawn again. */
    template <class X, class Y> void backward(const X &dy, Y &&dx, std::uint64_t first = 0) const
    {
        apply(dropwise_backward, dy, dx, first, static_cast<const void *>(nullptr));
    }

    template <class T> void forward(const view &v, const T *x, T *y) const
    {
        check(dropwise_forward_view(&mask_, dtype_of<T>::value, v.get(), x, y, nullptr));
    }

    template <class T> void backward(const view &v, const T *dy, T *dx) const
    {
        check(dropwise_backward_view(&mask_, dtype_of<T>::value, v.get(), dy, dx, nullptr));
    }

    /* Packed keep bits of n elements. */
    std::vector<std::uint8_t> bits(std::size_t n, std::uint64_t first = 0) const
    {
        std::vector<std::uint8_t> packed(n / 8 + (n % 8 != 0));
        check(dropwise_draw_bits(&mask_, first, n, packed.data()));
        return packed;
    }

private:
    template <class Call, class X, class Y, class Bits>
    void apply(Call call, const X &x, Y &y, std::uint64_t first, Bits bits) const
    {
        const auto from = span_of(x);
        const auto to = span_of(y);
        using T = typename std::remove_const<typename std::remove_pointer<decltype(from.data)>::type>::type;
        static_assert(std::is_same<decltype(to.data), T *>::value, "y has the type of x, and is not const");
        if (from.size != to.size)
            throw error(DROPWISE_ERROR_SHAPE);
        check(call(&mask_, dtype_of<T>::value, first, from.size, from.data, to.data, bits));
    }

    dropwise_mask mask_;
};

} // namespace dropwise

#endif // DROPWISE_HPP
