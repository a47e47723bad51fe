#include "train/terminal.h"

#include <algorithm>
#include <cerrno>
#include <sys/ioctl.h>
#include <unistd.h>

namespace steepest {

namespace {

constexpr std::string_view kClear = "\r\033[K";
constexpr int kUsualColumns = 80, kUsualRows = 24;

}  // namespace

Terminal::Terminal(int descriptor, std::optional<bool> terminal, std::optional<int> width)
    : descriptor_(descriptor), live_(terminal.value_or(::isatty(descriptor) == 1)), width_(width) {}

void Terminal::message(std::string_view text) {
    const std::lock_guard lock(mutex_);
    // One write: lines of several processes on one terminal do not mix.
    const std::string clear = clear_text();
    put(clear + std::string(text) + "\n" + live_text());
}

void Terminal::draw(std::string_view text) {
    if (!live_) return;
    const std::lock_guard lock(mutex_);
    const std::string clear = text_.empty() ? std::string(kClear) : clear_text();
    text_ = text;
    while (text_.ends_with('\n')) text_.pop_back();
    put(clear + live_text());
}

void Terminal::erase() {
    const std::lock_guard lock(mutex_);
    if (!text_.empty()) put(clear_text());
    text_.clear();
}

// One column stays free: a character in the last one makes some terminals wrap.
std::string Terminal::live_text() {
    const auto width = static_cast<std::size_t>(std::max(columns() - 1, 0));
    std::string text;
    shown_ = 0;
    for (std::string_view rest = text_; !rest.empty() && shown_ < rows();) {
        const std::size_t end = std::min(rest.find('\n'), rest.size());
        text += (shown_++ > 0 ? "\n" : "") + std::string(rest.substr(0, std::min(end, width)));
        rest.remove_prefix(std::min(end + 1, rest.size()));
    }
    return text;
}

// From the end of the last live line to the beginning of the first.
std::string Terminal::clear_text() const {
    if (text_.empty()) return "";
    return shown_ > 1 ? "\r\033[" + std::to_string(shown_ - 1) + "A\033[J" : std::string(kClear);
}

int Terminal::columns() const {
    if (width_) return *width_;
    winsize size{};
    return ::ioctl(descriptor_, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : kUsualColumns;
}

int Terminal::rows() const {
    winsize size{};
    return ::ioctl(descriptor_, TIOCGWINSZ, &size) == 0 && size.ws_row > 0 ? size.ws_row : kUsualRows;
}

void Terminal::put(std::string_view text) const {
    while (!text.empty()) {
        const ssize_t n = ::write(descriptor_, text.data(), text.size());
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) return;
        text.remove_prefix(n);
    }
}

}  // namespace steepest
