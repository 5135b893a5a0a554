// A double that counts: what is done with it, by the rule of lltd.roofline, is added to `operations`. The C++ faces are
// built with it in the place of their real numbers.

#pragma once

#include <cmath>
#include <cstdint>
#include <type_traits>

static int64_t operations = 0;

struct Counted {
  double value;

  Counted() = default;
  template <class T, std::enable_if_t<std::is_arithmetic_v<T>, int> = 0>
  constexpr Counted(T number) : value(double(number)) {}

  friend Counted operator+(Counted a, Counted b) { return operations++, Counted(a.value + b.value); }
  friend Counted operator-(Counted a, Counted b) { return operations++, Counted(a.value - b.value); }
  friend Counted operator*(Counted a, Counted b) { return operations++, Counted(a.value * b.value); }
  friend Counted operator/(Counted a, Counted b) { return operations++, Counted(a.value / b.value); }
  Counted& operator+=(Counted b) { return *this = *this + b; }
  Counted& operator-=(Counted b) { return *this = *this - b; }
  Counted& operator*=(Counted b) { return *this = *this * b; }

  // Signs and comparisons count nothing.
  friend Counted operator-(Counted a) { return Counted(-a.value); }
  friend bool operator<(Counted a, Counted b) { return a.value < b.value; }
  friend bool operator>(Counted a, Counted b) { return a.value > b.value; }
  friend bool operator<=(Counted a, Counted b) { return a.value <= b.value; }
  friend bool operator>=(Counted a, Counted b) { return a.value >= b.value; }
  friend bool operator==(Counted a, Counted b) { return a.value == b.value; }
};

namespace std {
inline Counted fabs(Counted a) { return Counted(fabs(a.value)); }
inline Counted copysign(Counted a, Counted b) { return Counted(copysign(a.value, b.value)); }
inline Counted sqrt(Counted a) { return operations++, Counted(sqrt(a.value)); }
}  // namespace std

// How many there were since it was asked before.
extern "C" int64_t counted() {
  const int64_t found = operations;
  operations = 0;
  return found;
}
