// Lines of JSON on their way to the service: noise is dropped, secrets are taken out, what is left is marked as seen.
// One connection has one server in nginx, so a line cannot be sent elsewhere: this does not route.
function filter(session) {
    let rest = '';
    session.on('upload', (data, flags) => {
        const lines = (rest + data).split('\n');
        rest = lines.pop();
        let out = '';
        for (let i = 0; i < lines.length; i++) {
            const message = JSON.parse(lines[i]);
            if (message.type === 'noise') {
                continue;
            }
            delete message.secret;
            message.seen = true;
            out += JSON.stringify(message) + '\n';
        }
        if (out.length > 0 || flags.last) {
            session.send(out, flags);
        }
    });
}

export default { filter };
