//! The terminal: keys one by one, and a screen to draw on, given back as it was.

use rustix::termios::{self, LocalModes, OptionalActions, SpecialCodeIndex, Termios};
use std::fmt::Write as _;
use std::io::{self, Read, Stdin, Stdout, Write};
use tokio::sync::mpsc;

/// A terminal that is taken over; given back when this is dropped.
pub(super) struct Terminal {
    before: Termios,
    stdin: Stdin,
    stdout: Stdout,
    keys: mpsc::Receiver<u8>,
}

/// Another screen, without a cursor.
const ENTER: &str = "\x1b[?1049h\x1b[?25l";
const LEAVE: &str = "\x1b[?25h\x1b[?1049l";

impl Terminal {
    pub(super) fn take() -> io::Result<Self> {
        let (stdin, mut stdout) = (io::stdin(), io::stdout());
        let before = termios::tcgetattr(&stdin)?;
        let mut keys_at_once = before.clone();
        // Ctrl-C comes as a key too, so that the terminal is given back.
        keys_at_once.local_modes -= LocalModes::ICANON | LocalModes::ECHO | LocalModes::ISIG;
        keys_at_once.special_codes[SpecialCodeIndex::VMIN] = 1;
        keys_at_once.special_codes[SpecialCodeIndex::VTIME] = 0;
        termios::tcsetattr(&stdin, OptionalActions::Now, &keys_at_once)?;
        let (sender, keys) = mpsc::channel(16);
        // It ends with the process, or with the terminal.
        std::thread::spawn(move || {
            let mut key = [0];
            while io::stdin().read(&mut key).is_ok_and(|count| count > 0)
                && sender.blocking_send(key[0]).is_ok()
            {}
        });
        stdout.write_all(ENTER.as_bytes())?;
        stdout.flush()?;
        Ok(Self { before, stdin, stdout, keys })
    }

    /// Columns and lines.
    pub(super) fn size(&self) -> (usize, usize) {
        match termios::tcgetwinsize(&self.stdout) {
            Ok(size) if size.ws_col > 0 && size.ws_row > 0 => (size.ws_col.into(), size.ws_row.into()),
            _ => (80, 24),
        }
    }

    /// The next key; `None`: there are no more.
    pub(super) async fn key(&mut self) -> Option<u8> {
        self.keys.recv().await
    }

    /// Draws lines over what was there, without a moment of nothing.
    pub(super) fn draw(&mut self, text: &str) -> io::Result<()> {
        let mut screen = String::from("\x1b[H");
        for line in text.lines() {
            // What is left of a longer line before goes.
            let _ = write!(screen, "{line}\x1b[K\r\n");
        }
        // No line after the last: the screen would move.
        screen.truncate(screen.len() - if text.is_empty() { 0 } else { 2 });
        screen += "\x1b[J";
        self.stdout.write_all(screen.as_bytes())?;
        self.stdout.flush()
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = termios::tcsetattr(&self.stdin, OptionalActions::Now, &self.before);
        let _ = self.stdout.write_all(LEAVE.as_bytes());
        let _ = self.stdout.flush();
    }
}

/// Columns of standard output, if it is a terminal.
pub(super) fn width() -> Option<usize> {
    let size = termios::tcgetwinsize(io::stdout()).ok()?;
    (size.ws_col > 0).then_some(size.ws_col.into())
}
